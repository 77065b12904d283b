"""What documents claim about the order of events: handed over by `evaluation`, which reads it from the trial's log.

Each claim has one sentence for each answer, here and nowhere else. docs/CLAIMS.md lists all claims of the documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from reports.words import Words

PlanOrder = Literal[
    "before_data",
    "after_data",
    "after_results",
    "not_frozen",
    "gone",
    "altered",
    "not_in_log",
    "log_missing",
    "log_broken",
    "log_begun_again",
]
"""When the plan was frozen, or why nobody can tell."""

LogState = Literal["whole", "begun_again", "empty", "missing", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanClaim:
    """When the plan was frozen, by the log.

    Parameters
    ----------
    order
        "before_data": before outcome data were taken in; "after_data": after that, before results were computed;
        "after_results": after results had been computed; "not_frozen"; "gone", "altered": plan/ does not contain the
        plan that was frozen; "not_in_log": plan/ holds one that the log does not name; "log_missing",
        "log_broken", "log_begun_again".
    frozen
        When the plan in force was frozen, as the log has it.
    data
        When outcome data were first taken in; "" if not before the freeze.
    runs
        When results had been computed before the freeze, a time for each run.
    replaced
        For each plan that was frozen before: when, and why it was replaced.
    """

    order: PlanOrder = "not_frozen"
    frozen: str = ""
    data: str = ""
    runs: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()

    @property
    def is_prior(self) -> bool:
        """Whether the log shows that the plan was frozen before any result was computed."""
        return self.order in ("before_data", "after_data")

    @property
    def is_in_force(self) -> bool:
        """Whether the plan that the log names is there to compare the protocol with."""
        return self.is_prior or self.order == "after_results"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyClaim:
    """Who can tell who is who, by the log.

    Parameters
    ----------
    state
        "sealed": key of the pseudonyms and schools' files are in the vault; "open": they lie open beside the data;
        "unsealed": they were sealed and lie open again; "unknown" where the log is missing or was edited.
    since
        When they were sealed, or put back in the clear; "" where they never were.
    n_openers
        How many people open the vault together.
    n_openings
        How often they did before the last results were computed; None where it was sealed after that.
    """

    state: Literal["sealed", "open", "unsealed", "unknown"] = "open"
    since: str = ""
    n_openers: int = 0
    n_openings: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """What the trial's log tells beside the order of the plan.

    Parameters
    ----------
    state
        "whole", "empty" before anything happened, "missing" where something has, "broken".
    n_disagreements
        In how many matters plan, draw, data or results are not those that the log names.
    runs
        When results were computed, a time for each run.
    n_results
        How many different results these runs gave.
    n_draws
        How often anybody drew or adopted an allocation; None where the log cannot say.
    begun_again
        When and why a log was begun in place of one that is lost.
    custody
        Who can tell who is who.
    """

    state: LogState = "whole"
    n_disagreements: int = 0
    runs: tuple[str, ...] = ()
    n_results: int = 0
    n_draws: int | None = 1
    begun_again: tuple[str, str] = ("", "")
    custody: CustodyClaim = field(default_factory=CustodyClaim)


AuditAnswer = Literal["yes", "no", "none", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditClaim:
    """What the log tells of audits of the very draw, data, results and documents that are in the folder.

    Parameters
    ----------
    answer
        "yes": all was made again and was the same; "no": the last audit found something that was not; "none": there
        was no audit of them; "unknown" where the log is missing or was edited.
    time
        When; for "yes", the first time since the last "no".
    """

    answer: AuditAnswer = "none"
    time: str = ""


def describe_audit(claim: AuditClaim, words: Words) -> str:
    """Return whether the documents of a site were made again from what schools sent, and were the same."""
    time = format_log_time(words, claim.time)
    match claim.answer:
        case "yes":
            return words.text(
                "Audited on {time}: data, results and documents were made again from the schools’ files and the record"
                " of the draw, and were the same, byte for byte.",
                time=time,
            )
        case "no":
            return words.text(
                "The last audit of these documents, on {time}, found something that is not the same when it is made"
                " again from the schools’ files and the record of the draw.",
                time=time,
            )
        case "none":
            return words.text("These documents have not been audited: the trial’s log names no audit of them.")
        case _:
            return words.text("The trial’s log is missing or was edited: it shows no audit of these documents.")


def format_log_time(words: Words, text: str) -> str:
    """Write a time of the log, ISO 8601, to the minute."""
    if not text.endswith("+00:00"):
        return text
    return words.text("{date} {time} UTC", date=text[:10], time=text[11:16])


def plan_sentences(claim: PlanClaim, words: Words) -> Iterator[str]:
    """State when the plan was frozen and which plans it replaced."""
    yield _describe_order_of_events(claim, words)
    for time, reason in claim.replaced:
        yield words.text(
            "It replaced a plan that was frozen on {time} ({reason}).",
            time=format_log_time(words, time),
            reason=reason or words.text("no reason was given"),
        )


def _describe_order_of_events(claim: PlanClaim, words: Words) -> str:
    time = format_log_time(words, claim.frozen)
    match claim.order:
        case "before_data":
            return words.text("The analysis plan was frozen on {time}, before outcome data were taken in.", time=time)
        case "after_data":
            return words.text(
                "The analysis plan was frozen on {time}, after outcome data had been taken in (on {data}) and before"
                " results were computed.",
                time=time,
                data=format_log_time(words, claim.data),
            )
        case "after_results" if len(claim.runs) == 1:
            return words.text(
                "The analysis plan was frozen on {time}, after results had been computed once (on {first}).",
                time=time,
                first=format_log_time(words, claim.runs[0]),
            )
        case "after_results":
            return words.plural(
                "The analysis plan was frozen on {time}, after results had been computed {n} time (first on {first}).",
                "The analysis plan was frozen on {time}, after results had been computed {n} times (first on {first}).",
                len(claim.runs),
                time=time,
                first=format_log_time(words, claim.runs[0]),
            )
        case _:
            return _describe_unproven_freeze(claim, words)


def _describe_unproven_freeze(claim: PlanClaim, words: Words) -> str:
    """Describe why nothing shows when the plan was frozen."""
    time = format_log_time(words, claim.frozen)
    match claim.order:
        case "log_begun_again":
            return words.text(
                "The trial’s earlier log is lost: nothing shows whether the analysis plan was frozen before data or"
                " results were seen."
            )
        case "not_frozen":
            return words.text("The analysis plan was not frozen.")
        case "gone":
            return words.text("The analysis plan that was frozen on {time} is not in the trial’s folder.", time=time)
        case "altered":
            return words.text(
                "The analysis plan in the trial’s folder is not the one that was frozen on {time}.", time=time
            )
        case "not_in_log":
            return words.text("The trial’s log does not name the analysis plan: nothing shows when it was frozen.")
        case "log_missing":
            return words.text("The trial’s log is missing: nothing shows when the analysis plan was frozen.")
        case _:
            return words.text("The trial’s log was damaged or edited: nothing shows when the analysis plan was frozen.")


def log_sentences(facts: LogFacts, words: Words) -> Iterator[str]:
    """Describe what is wrong with the log; nothing where it is whole and agrees with what is in the folder."""
    if facts.state == "missing":
        yield words.text("The trial’s log is missing: nothing shows what was done when, and how often.")
    elif facts.state == "broken":
        yield words.text("The trial’s log was damaged or edited: nothing shows what was done when, and how often.")
    elif facts.state == "begun_again":
        yield words.text(
            "The trial’s log was lost and begun again on {time} ({reason}): nothing shows what was done before, and how"
            " often.",
            time=format_log_time(words, facts.begun_again[0]),
            reason=facts.begun_again[1],
        )
    if facts.n_disagreements:
        yield words.plural(
            "In {n} matter, what is in the trial’s folder is not what its log names.",
            "In {n} matters, what is in the trial’s folder is not what its log names.",
            facts.n_disagreements,
        )


def describe_runs(facts: LogFacts, words: Words) -> str:
    """Describe how often results were computed; nothing where the log cannot say."""
    if facts.state != "whole" or not facts.runs:
        return ""
    first, last = format_log_time(words, facts.runs[0]), format_log_time(words, facts.runs[-1])
    sentence = words.plural(
        "Results were computed {n} time, from {first} to {last}.",
        "Results were computed {n} times, from {first} to {last}.",
        len(facts.runs),
        first=first,
        last=last,
    )
    if len(facts.runs) == 1:
        sentence = words.text("Results were computed once, on {last}.", last=last)
    if facts.n_results < 2:
        return sentence
    different = words.plural(
        "The runs gave {n} set of results; the last is reported.",
        "The runs gave {n} different sets of results; the last is reported.",
        facts.n_results,
    )
    return words.text("{first} {second}", first=sentence, second=different)


def describe_key_custody(claim: CustodyClaim, words: Words) -> Iterator[str]:
    """Return whether the key of the pseudonyms is sealed, since when and for how many, and how often it was opened."""
    time = format_log_time(words, claim.since)
    match claim.state:
        case "sealed":
            yield words.plural(
                "The key of the pseudonyms and the files of schools have been encrypted since {time}; {n} person can"
                " open them.",
                "The key of the pseudonyms and the files of schools have been encrypted since {time}; {n} people can"
                " open them, only together.",
                claim.n_openers,
                time=time,
            )
            yield _describe_key_openings(claim, words)
        case "open":
            yield words.text("The key of the pseudonyms and the files of schools are not encrypted.")
        case "unsealed":
            yield words.text(
                "The key of the pseudonyms and the files of schools were encrypted, and have not been since {time}.",
                time=time,
            )
        case _:
            yield words.text("Nothing shows whether the key of the pseudonyms was encrypted.")


def _describe_key_openings(claim: CustodyClaim, words: Words) -> str:
    if claim.n_openings is None:
        return words.text("They were not when these results were computed.")
    if not claim.n_openings:
        return words.text("They were not opened before these results were computed.")
    return words.plural(
        "Until these results were computed they were opened {n} time, with a reason that is in the trial’s log.",
        "Until these results were computed they were opened {n} times, each with a reason that is in the trial’s log.",
        claim.n_openings,
    )
