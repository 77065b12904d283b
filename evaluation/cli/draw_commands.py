"""The commands of the draw: assign, verify, certificate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from evaluation.cli.console import Console, count, format_columns
from evaluation.cli.folder import add_folder_argument, add_opening_options, open_trial

if TYPE_CHECKING:
    from evaluation.trial import Trial
    from randomisation.draw import Allocation
    from randomisation.later import Replacement


@click.command()
@add_folder_argument
@click.option("--seed", default="", help="Text that the draw is made from; that of the protocol when left out.")
@click.option("--reason", default="", help="Why an earlier draw is replaced; reports will show it.")
@click.option("--commit", is_flag=True, help="Fix schools and design, print their hash to publish, draw nothing yet.")
@click.option("--seed-from", default="", help="With --commit: where the seed will come from.")
@click.option("--reveal", is_flag=True, help="Draw what was committed to; asks for the seed, twice, without --seed.")
@click.option("--add", "late", type=click.Path(path_type=Path), help="Draw late schools, listed in this file.")
@click.option("--replace", "withdrawn", default="", help="Draw a reserve for this school, which withdrew.")
@click.option("--show-arms", is_flag=True, help="Print each school's arm; nothing shows them otherwise.")
def assign(folder: Path, *, as_json: bool, show_arms: bool, **options: Unpack[AssignOptions]) -> None:
    """Draw the arm of each school, with a record to check it by.

    Later, draw late schools (--add) or a reserve (--replace).
    """
    _check_ceremony(options)
    trial, seed, reason = open_trial(folder), options["seed"], options["reason"]
    if options["commit"]:
        _answer_commitment(trial, as_json=as_json, seed_from=options["seed_from"], reason=reason)
        return
    seed = seed or (_ask_for_seed() if _is_seed_required(options) else "")
    if options["withdrawn"]:
        replacement = trial.replace_school(options["withdrawn"], seed=seed, reason=reason)
        arm = f" (arm {replacement.arm})" if show_arms else ""
        text = (
            f"'{replacement.chosen}', drawn from {count(len(replacement.reserves), 'reserve', 'reserves')}, "
            "takes the place of "
        )
        Console(as_json=as_json).answer(
            _format_replacement_values(replacement, show_arms), f"{text}'{replacement.withdrawn}'{arm}."
        )
        return
    if options["late"]:
        allocation = trial.add_late(options["late"], seed=seed, reason=reason)
    elif options["reveal"]:
        allocation = trial.reveal(seed=seed, reason=reason)
    else:
        allocation = trial.assign(seed=seed, reason=reason)
    _answer_draw(trial, allocation, as_json=as_json, show_arms=show_arms)


class AssignOptions(TypedDict):
    """What `crocoos assign` is asked to do."""

    seed: str
    reason: str
    commit: bool
    seed_from: str
    reveal: bool
    late: Path | None
    withdrawn: str


def _is_seed_required(options: AssignOptions) -> bool:
    """Return whether a seed is asked for: the protocol's is for the first draw only."""
    return options["reveal"] or options["late"] is not None or bool(options["withdrawn"])


def _ask_for_seed() -> str:
    return str(click.prompt("Seed", confirmation_prompt="The seed once more"))


def _format_replacement_values(made: Replacement, show_arms: bool) -> dict[str, object]:
    return {name: value for name, value in made.to_dict().items() if show_arms or name != "arm"}


def _answer_draw(trial: Trial, allocation: Allocation, *, as_json: bool, show_arms: bool) -> None:
    frame = allocation.to_frame()
    per_arm = frame["arm"].value_counts()
    counts = {name: int(per_arm.get(name, 0)) for name in trial.protocol.arm_names}
    # Totals of schools that are all in one arm would say which arm each of them is in.
    if len(frame) in counts.values() and not show_arms:
        counts = {}
    totals = ": " + ", ".join(f"{name} {n}" for name, n in counts.items()) if counts else ""
    unit, many = ("class", "classes") if trial.protocol.design.method.draws_classes else ("school", "schools")
    lines = [f"{count(len(frame), unit, many)} in {count(frame['stratum'].nunique(), 'stratum', 'strata')}{totals}."]
    lines += [f"Note: {note}" for note in allocation.notes]
    if show_arms:
        lines.append(
            format_columns([["school", "stratum", "arm"], *frame[["school_id", "stratum", "arm"]].values.tolist()])
        )
    lines.append(f"Written to {trial.paths.allocation}. Anyone can check it: crocoos verify {trial.folder}")
    values: dict[str, object] = {"n_schools": len(frame), "arms": counts, "notes": list(allocation.notes)}
    Console(as_json=as_json).answer(values, "\n".join(lines))


def _check_ceremony(options: AssignOptions) -> None:
    commit, reveal = options["commit"], options["reveal"]
    if commit and (reveal or options["seed"]):
        raise click.UsageError("--commit comes before there is a seed: leave out --reveal and --seed.")
    if options["seed_from"] and not commit:
        raise click.UsageError("--seed-from belongs to --commit.")
    if sum((commit, reveal, options["late"] is not None, bool(options["withdrawn"]))) > 1:
        raise click.UsageError("--commit, --reveal, --add and --replace are one step each: state one of them.")


def _answer_commitment(trial: Trial, *, as_json: bool, seed_from: str, reason: str) -> None:
    commitment = trial.commit(seed_source=seed_from, reason=reason)
    lines = [
        f"{count(len(commitment.schools), 'school', 'schools')}: {commitment.design}.",
        f"Publish this, before the seed is drawn: {commitment.sha256}",
        f"Then: crocoos assign {trial.folder} --reveal --seed ...",
    ]
    values: dict[str, object] = {
        "n_schools": len(commitment.schools),
        "commitment_sha256": commitment.sha256,
        "frame_sha256": commitment.frame_sha256,
    }
    Console(as_json=as_json).answer(values, "\n".join(lines))


@click.command()
@add_folder_argument
def verify(folder: Path, *, as_json: bool) -> None:
    """Draw again from the record and compare; check the log.

    Exits with 1 if the record or the log is not valid.
    """
    verification = open_trial(folder).verify()
    text = "\n".join([*(f"Problem: {problem}" for problem in verification.problems), *verification.notes])
    verdict = "The allocation is valid." if verification.allocation.ok else "The allocation is NOT valid."
    if verification.log_problems:
        verdict += " The log does NOT agree with what is in the folder."
    values = {"ok": verification.ok, "problems": list(verification.problems), "notes": list(verification.notes)}
    Console(as_json=as_json).answer(values, f"{text}\n{verdict}".strip())
    if not verification.ok:
        raise SystemExit(1)


@click.command()
@add_opening_options
@add_folder_argument
def audit(folder: Path, *, as_json: bool) -> None:
    """Make everything again in a clean folder and compare.

    Every file is compared, byte by byte. Exits with 1 if one differs.
    """
    audited = open_trial(folder).audit()
    verdict = f"{count(audited.n_files, 'file', 'files')} compared with what is made again: "
    verdict += "every one is the same." if audited.ok else "NOT everything is the same."
    text = "\n".join([*(f"Problem: {problem}" for problem in audited.problems), verdict])
    Console(as_json=as_json).answer(audited.to_dict(), text)
    if not audited.ok:
        raise SystemExit(1)


@click.command()
@add_folder_argument
def certificate(folder: Path, *, as_json: bool) -> None:
    """Write a page about the draw for the meeting to sign.

    Also write the list of schools of each arm, for letters.
    """
    certified = open_trial(folder).certificate()
    text = (
        f"{', '.join((*certified.certificates, *certified.letters))} in {certified.folder}. The lists say who "
        "is in which arm."
    )
    Console(as_json=as_json).answer(certified.to_dict(), text)
