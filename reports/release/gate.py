"""The gate of publication: no small number of pupils follows from all that is published together.

Documents in every language, the texts of their pictures and the table of estimates are read back as they were
written. Every number of pupils in them says which pupils it counts, or is refused; together they are one system, which
is solved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from data_schema.errors import DisclosureError
from reports.counted import Pupils
from reports.flow import KEPT_OUT
from reports.release.answers import iterate_question_links, parse_question
from reports.release.reading import Page, Printed, Row, build_fact, iterate_mean_facts, read_estimates, read_page
from reports.release.system import Fact, Imputed, Link, Solved, infer_pupil_counts
from reports.release.undeclared import find_undeclared_counts
from reports.words import Words, words

_MOST_NAMED = 12
"""How many cells or numbers a message names; of further ones it says how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPage:
    """A page about the data that has left already: its HTML, its language, and to what it rounds."""

    html: str
    language: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is published.

    Parameters
    ----------
    pages
        Name of an HTML document to its content.
    languages
        Name of a document to the code of its language.
    estimates
        The published table of estimates, as CSV.
    kinds
        Outcome to what its values are: "binary", "whole" (numbers) or anything else.
    threshold
        Smallest number of pupils that may be printed.
    assumed
        Plan entry to what it assumes of pupils without the outcome: "as_event" or "as_no_event".
    links
        What holds among the sets of pupils.
    data_pages
        Name of a page about the data that has left, codebook or returns, to the page.
    answers
        Table and field to the answers that it offers.
    """

    pages: Mapping[str, str]
    languages: Mapping[str, str]
    estimates: str
    kinds: Mapping[str, str]
    threshold: int
    assumed: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[Link] = ()
    data_pages: Mapping[str, DataPage] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def words_of(self, name: str) -> Words:
        """Return the words of a page's language."""
        page = self.data_pages.get(name)
        return words(self.languages[name]) if page is None else words(page.language, package="data_schema")

    def step_of(self, name: str) -> int:
        """Return to what a page rounds."""
        page = self.data_pages.get(name)
        return self.threshold if page is None else page.step


@dataclass(slots=True)
class _Found:
    """What was read."""

    printed: dict[str, list[Printed]] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def all(self) -> list[Printed]:
        return [printed_number for of_page in self.printed.values() for printed_number in of_page]


def check_release(release: Release) -> Solved:
    """Refuse a release from which a small number of pupils follows.

    Parameters
    ----------
    release
        What is published.

    Returns
    -------
    Solved
        How many numbers there are, and for how many cells they were solved; none of these is recovered.

    Raises
    ------
    DisclosureError
        When a number of pupils is printed that does not say which pupils it counts, when the table of estimates and the
        documents print different numbers, or when a number below the threshold can be worked out.
    """
    release_contents = _read(release)
    _check_declared(release_contents, release)
    sets = _map_estimates_to_pupils(release_contents)
    facts = list(
        dict.fromkeys(
            build_fact(printed_number, threshold=release.step_of(name))
            for name, of_page in release_contents.printed.items()
            for printed_number in of_page
        )
    )
    links = [*release.links, *_iterate_answer_links(release_contents, release)]
    means = list(dict.fromkeys(iterate_mean_facts(release_contents.rows, sets, release.kinds)))
    outcomes = {row.plan_entry: row.outcome for row in release_contents.rows}
    imputed = find_imputed_analyses(
        outcomes,
        _find_entries_of_analysed(release_contents, sets),
        release.assumed,
        _collect_loss_reasons(release_contents.all()),
    )
    facts += nobody(release_contents.all())
    solved = infer_pupil_counts(facts, means, threshold=release.threshold, imputed=imputed, links=links)
    if solved.recovered:
        raise DisclosureError(
            "the release",
            f"numbers of fewer than {release.threshold} pupils can be worked out from all that it prints together: "
            f"{_join_names(solved.recovered)}.",
            "Raise `disclosure_threshold` in [reports] of trial.toml, then run `crocoos report` and `crocoos publish`.",
        )
    return solved


def _read(release: Release) -> _Found:
    release_contents = _Found(rows=read_estimates(release.estimates))
    pages = {**release.pages, **{name: page.html for name, page in release.data_pages.items()}}
    for name, html in pages.items():
        release_contents.pages[name] = read_page(html)
        release_contents.printed[name] = release_contents.pages[name].printed
    return release_contents


def _check_declared(found: _Found, release: Release) -> None:
    """Refuse numbers of pupils that stand outside the system."""
    declared = {printed_number.number for printed_number in found.all() if printed_number.number is not None}
    stray = [
        f"{name}: {text}"
        for name, page in found.pages.items()
        for text in find_undeclared_counts(
            page, release.words_of(name), declared=declared, threshold=release.step_of(name)
        )
    ]
    if stray:
        raise DisclosureError(
            "the release",
            f"it prints numbers of pupils that do not say which pupils they count: {_join_names(stray)}.",
            "Run `crocoos report` again; if this stays, print them as counts that carry their set of pupils.",
        )


def _iterate_answer_links(found: _Found, release: Release) -> Iterator[Link]:
    """Yield what holds among the numbers of each question of the codebooks."""
    sets = dict.fromkeys(
        printed_number.pupils for printed_number in found.all() if printed_number.pupils.what == "answers"
    )
    places = dict.fromkeys(country for pupils in sets for country in pupils.countries) or {"": None}
    questions = dict.fromkeys(parse_question(pupils) for pupils in sets)
    for (table, wave, name), product in questions:
        if (table, name) in release.answers:
            offered = release.answers[table, name]
            yield from iterate_question_links((table, wave, name), offered, places, product=product)


def _map_estimates_to_pupils(found: _Found) -> dict[str, Pupils]:
    """Return estimate id to its pupils; refuse a file that says another number of them than the documents."""
    printed = {
        printed_number.estimate_id: printed_number for printed_number in found.all() if printed_number.estimate_id
    }
    numbers = {name: printed_entry.number or 0 for name, printed_entry in printed.items()}
    apart = [row.estimate_id for row in found.rows if numbers.get(row.estimate_id) != int(row.n_pupils or 0)]
    if apart:
        raise DisclosureError(
            "estimates.csv",
            f"it has numbers of pupils that no document prints in the same row: {_join_names(apart)}.",
            "Run `crocoos report` again, so that file and documents are of the same results.",
        )
    return {name: printed_entry.pupils for name, printed_entry in printed.items()}


def _find_entries_of_analysed(found: _Found, sets: Mapping[str, Pupils]) -> set[str]:
    """Return the plan entries whose pupils are those of the flow's last step."""
    return {row.plan_entry for row in found.rows if row.quantity == "mean" and sets[row.estimate_id].what == "analysed"}


def _collect_loss_reasons(printed: Iterable[Printed]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(printed_number.pupils.name for printed_number in printed if printed_number.pupils.what == "lost")
    )


def find_imputed_analyses(
    outcomes: Mapping[str, str], analysed: Collection[str], assumed: Mapping[str, str], reasons: Iterable[str]
) -> list[Imputed]:
    """Return the analyses whose events follow from those of the analysed.

    Parameters
    ----------
    outcomes
        Plan entry to its outcome.
    analysed
        Plan entries whose pupils are those of the flow's last step.
    assumed
        Plan entry to what it assumes of pupils without the outcome: "as_event" or "as_no_event".
    reasons
        For which pupils are lost.
    """
    known = {outcomes[entry] for entry in analysed if entry not in assumed}
    lost = tuple(reason for reason in reasons if reason not in KEPT_OUT)
    return [
        Imputed(entry=entry, reasons=lost if how == "as_event" else ())
        for entry, how in assumed.items()
        if outcomes.get(entry) in known and entry not in analysed
    ]


def nobody(printed: Sequence[Printed]) -> list[Fact]:
    """Return what a flow that does not name a reason tells: that nobody of its arm and place was lost for it."""
    places = dict.fromkeys(
        (printed_number.pupils.arms, printed_number.pupils.countries)
        for printed_number in printed
        if printed_number.pupils.what == "enrolled"
    )
    lost = {printed_number.pupils for printed_number in printed if printed_number.pupils.what == "lost"}
    return [
        Fact(pupils=unnamed, low=0, high=0)
        for reason in dict.fromkeys(pupils.name for pupils in lost)
        for arms, countries in places
        if len(arms) == 1
        for unnamed in [Pupils(what="lost", name=reason, arms=arms, countries=countries)]
        if unnamed not in lost
    ]


def _join_names(names: tuple[str, ...] | list[str]) -> str:
    shown = "; ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown}; and {len(names) - _MOST_NAMED} more"
