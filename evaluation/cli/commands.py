"""The commands, in the order in which a trial uses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evaluation.cli.console import (
    Console,
    ProgressLine,
    count,
    format_columns,
    format_in_colour,
    join_texts,
    keep_practice_mode,
    print_text,
)
from evaluation.cli.data_commands import (
    checks,
    codebook,
    erase,
    export,
    forms,
    freeze,
    lock,
    propose,
    returns,
    unlock,
    withdraw,
)
from evaluation.cli.draw_commands import assign, audit, certificate, verify
from evaluation.cli.fit_command import fit
from evaluation.cli.folder import add_folder_argument, add_opening_options, open_trial
from evaluation.cli.log_command import log
from evaluation.cli.power_command import power

if TYPE_CHECKING:
    from data_schema.findings import Findings
    from evaluation.frozen_plan import PlanState

_STATES = {"fresh": "green", "stale": "yellow", "missing": ""}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--template",
    type=click.Choice(["minimal", "crocoos"]),
    default="minimal",
    show_default=True,
    help="Protocol to start from: the smallest that runs, or a trial of early warning systems in three countries.",
)
@click.option("--practice", is_flag=True, help="Make a practice folder: data are simulated in it, and every output "
              "says so. This cannot be changed later.")  # fmt: skip
@click.option("--like", type=click.Path(path_type=Path, file_okay=False), default=None,
              help="Copy the protocol of another trial's folder instead of a template.")  # fmt: skip
def init(folder: Path, template: str, like: Path | None, *, practice: bool) -> None:
    """Make a trial's FOLDER with a commented protocol."""
    from evaluation.scaffold import create_trial_folder as make

    make(folder, template=template, practice=practice, like=like)
    protocol, schools = folder / "trial.toml", folder / "schools.csv"
    if practice:
        print_text(
            f"This is a practice folder: what is simulated in it is marked as such everywhere. Its protocol is "
            f"{protocol}.\nNext: crocoos simulate {folder}"
        )
        return
    print_text(
        f"{protocol} is your protocol: read it and make it yours.\n"
        f"Next: put the list of schools into {schools}, then: crocoos plan {folder}"
    )


@click.command()
@add_folder_argument
@click.option("--check", is_flag=True, help="Exit with 1 when a stage is not fresh or the log is not valid.")
def status(folder: Path, *, as_json: bool, check: bool) -> None:
    """Show which stage is fresh, stale or missing, and why.

    Also show what is wrong with the log.
    """
    from evaluation.custody import describe_custody_notes, find_custody_alarms
    from evaluation.erasure import describe_erased_in_files, describe_retention
    from evaluation.named_in_log import find_log_disagreements
    from evaluation.stages import statuses
    from evaluation.trial_log import LOG

    trial = open_trial(folder)
    folder_now = trial.snapshot()
    stages = statuses(folder_now)
    lines: list[str] = []
    for stage in stages:
        state = format_in_colour(stage.state.ljust(8), colour=_STATES[stage.state])
        reasons = [_format_reasons(stage.reasons)] if stage.reasons else []
        lines.append(join_texts(" ", (stage.stage.ljust(8), state, *reasons)))
    note = describe_retention(trial.protocol, trial.clock().date())
    custody = list(describe_custody_notes(folder_now))
    left = describe_erased_in_files(folder_now)
    lines += [f"\n{paragraph}" for paragraph in (note, *custody, left) if paragraph]
    problems = [
        *(f"{LOG}: {problem}" for problem in folder_now.log().problems),
        *map(str, find_custody_alarms(folder_now)),
        *find_log_disagreements(folder_now),
    ]
    lines += [f"\nProblem: {problem}" for problem in problems]
    values = {
        "stages": [stage.to_dict() for stage in stages],
        "retention": note,
        "custody": custody,
        "erased_in_files": left,
        "log_problems": problems,
    }
    Console(as_json=as_json).answer(values, join_texts("\n", lines))
    if check and (problems or any(stage.state != "fresh" for stage in stages)):
        raise SystemExit(1)


def _format_reasons(reasons: Sequence[str]) -> str:
    return f"\n{' ' * 18}".join(reasons)


@click.command()
@add_folder_argument
@click.option("--freeze", is_flag=True, help="Freeze the protocol as it is now, once and for all.")
@click.option("--reason", default="", help="With --freeze: why another plan is replaced; every document will tell.")
def plan(folder: Path, *, as_json: bool, freeze: bool, reason: str) -> None:
    """Check the protocol and show what it plans.

    With --freeze the plan is kept, and later ones are compared with it.
    """
    from evaluation.stages.plan import check_frame_columns

    if reason and not freeze:
        raise click.UsageError("--reason belongs to --freeze.")
    trial = open_trial(folder)
    state = trial.plan(freeze=freeze, reason=reason)
    protocol = trial.protocol
    odd = check_frame_columns(trial.snapshot())
    analyses = [["analysis", "outcome", "role", "model"]]
    analyses += [[item.name, item.outcome, item.role, item.model] for item in protocol.analyses]
    lines = [
        protocol.trial.title,
        f"{count(len(protocol.countries), 'country', 'countries')}: {', '.join(protocol.countries.values())}",
        f"Arms: {', '.join(f'{arm.label} ({arm.ratio})' for arm in protocol.design.arms)}",
        f"Strata: {', '.join(protocol.design.strata) or 'none'}",
        "",
        format_columns(analyses),
        "",
        *_describe_frame(protocol.schools.file, odd),
        "",
        _plan_state(state),
    ]
    values = {
        "frozen": state.frozen,
        "sha256": state.sha256,
        "changes": list(state.changes),
        "rewordings": list(state.rewordings),
        "findings": [str(finding) for finding in odd or ()],
    }
    Console(as_json=as_json).answer(values, "\n".join(lines))


def _describe_frame(file: str, odd: Findings | None) -> list[str]:
    if odd is None:
        return [f"{file} is not there yet; run this again when it is, and its rows are checked."]
    if not odd:
        return [f"Schools can be drawn from {file}; nothing in it is odd."]
    return [f"Schools can be drawn from {file}. Odd in columns that nothing reads:", *map(str, odd.condensed())]


def _plan_state(state: PlanState) -> str:
    if not state.frozen:
        return "The plan is not frozen. Freeze it before data are seen: crocoos plan --freeze"
    if not state.changes and not state.rewordings:
        return f"The plan is frozen, and nothing was changed since (SHA-256 {state.sha256[:16]})."
    state_lines = [f"The plan is frozen (SHA-256 {state.sha256[:16]})."]
    for heading, listed in (
        ("Changed since:", state.changes),
        ("Text changed since, from which nothing is computed:", state.rewordings),
    ):
        state_lines += [heading, *(f"  {change}" for change in listed)] if listed else []
    return "\n".join(state_lines)


@click.command()
@add_opening_options
@add_folder_argument
@click.option("--all", "show_all", is_flag=True, help="Show every finding, not the first ten.")
def collect(folder: Path, *, as_json: bool, show_all: bool) -> None:
    """Read the files in inbox/: check, repair and pseudonymise them."""
    trial = open_trial(folder)
    collected = trial.collect()
    numbers = collected.to_dict()
    lines = [
        f"{numbers['n_files']} files, {numbers['sent']:,} rows sent = {numbers['kept']:,} kept + {numbers['asked']:,} "
        f"asked + {numbers['refused']:,} refused. {numbers['n_repairs']:,} cells repaired (store/repairs.csv)."
    ]
    condensed_findings = collected.findings.condensed()
    asked = [*condensed_findings.by_severity("refused"), *condensed_findings.by_severity("question")]
    shown = asked if show_all else asked[:10]
    if asked:
        lines.append(f"\n{count(len(asked), 'matter', 'matters')} for the schools (store/questions.csv):")
        lines += [f"  {finding}" for finding in shown]
    if len(shown) < len(asked):
        lines.append(f"  ... and {len(asked) - len(shown)} more; --all shows them.")
    if collected.queries:
        n_schools = count(len(collected.queries), "workbook", "workbooks")
        lines.append(
            f"\n{n_schools} to answer in, one per school: store/queries/. Put them back into inbox/ as they come."
        )
    if collected.n_answers:
        lines.append(f"{count(collected.n_answers, 'answer', 'answers')} of schools used (store/answers.csv).")
    values = {**numbers, "findings": [str(finding) for finding in asked]}
    Console(as_json=as_json).answer(values, "\n".join(lines))


NOTHING_COMPARED = (
    "Nothing was compared: the sampling frame has no column 'size', and no covariate is of schools or of pupils whose "
    "data have been collected. Add an entry to [[covariates]], or put files into inbox/ and run `crocoos collect`."
)


@click.command()
@add_folder_argument
def balance(folder: Path, *, as_json: bool) -> None:
    """Compare the arms before the trial.

    Schools are compared, and pupils once there are data.
    """
    trial = open_trial(folder)
    frame = trial.balance()
    overall = frame.loc[frame["country"] == ""]
    rows = [["level", "variable", "reference", "arm", "difference (sd)", "WWC"]]
    for row in overall.to_dict("records"):
        name = row["label"] if not row["category"] else f"{row['label']}: {row['category']}"
        figures = [f"{row[key]:.2f}" for key in ("mean_reference", "mean_arm", "std_difference")]
        rows.append([row["level"], name, *figures, row["wwc"]])
    shown = format_columns(rows, right=(2, 3, 4)) if len(overall) else NOTHING_COMPARED
    text = f"{shown}\n\nWritten to {trial.paths.balance}."
    Console(as_json=as_json).answer({"rows": overall.to_dict("records")}, text)


@click.command()
@add_folder_argument
def impact(folder: Path, *, as_json: bool) -> None:
    """Estimate every effect that the plan asks for."""
    trial = open_trial(folder)
    frame = trial.impact()
    main = frame.loc[(frame["quantity"] == "difference") & (frame["country"] == "")]
    rows = [["analysis", "arm", "compared with", "estimate", "interval", "p", "schools", "pupils", "status"]]
    rows += [
        [
            row["plan_entry"],
            row["arm"],
            row["reference"],
            f"{row['estimate']:.4f}",
            f"({row['conf_low']:.4f}; {row['conf_high']:.4f})",
            f"{row['p_value']:.3f}",
            str(row["n_schools"]),
            str(row["n_pupils"]),
            row["status"],
        ]
        for row in main.to_dict("records")
    ]
    failed = frame.loc[frame["status"] == "failed"]
    lines = [format_columns(rows, right=(3, 5, 6, 7)), ""]
    if len(failed):
        lines.append(f"{count(len(failed), 'estimate', 'estimates')} could not be made; results/ gives each reason.")
    lines.append(f"{count(len(frame), 'estimate', 'estimates')} in {trial.paths.results}.")
    values = {"n_estimates": len(frame), "n_failed": len(failed), "main": main["estimate_id"].tolist()}
    Console(as_json=as_json).answer(values, "\n".join(lines))


@click.command()
@add_folder_argument
def report(folder: Path, *, as_json: bool) -> None:
    """Write the reports: HTML and PDF, by country and language."""
    report_files = open_trial(folder).report()
    names = report_files.to_dict()
    text = (
        f"{count(len(report_files.documents), 'document', 'documents')} in {report_files.folder}, each as HTML and PDF."
    )
    Console(as_json=as_json).answer(names, text)


@click.command()
@add_folder_argument
def publish(folder: Path, *, as_json: bool) -> None:
    """Make the site, which opens offline in a browser.

    Refused as long as a small number of pupils follows from what it prints.
    """
    from reports.claims import describe_audit
    from reports.words import words

    published_site = open_trial(folder).publish()
    solved = (
        f"{count(published_site.n_numbers, 'number', 'numbers')} of pupils were solved together: none that "
        "is too small follows."
    )
    Console(as_json=as_json).answer(
        published_site.to_dict(),
        f"Open {published_site.start}\n{solved}\n{describe_audit(published_site.audit, words('en'))}",
    )


@click.command()
@add_folder_argument
@click.option("--seed", type=click.IntRange(min=0), default=2027, show_default=True, help="Seed of the simulation.")
def simulate(folder: Path, *, as_json: bool, seed: int) -> None:
    """Fill a practice folder with simulated schools and files.

    First with a list of schools and, once they are drawn, with the files of its protocol.
    """
    from evaluation.rehearsal.rehearse import simulate_trial_inputs

    done = simulate_trial_inputs(folder, seed=seed, progress=ProgressLine())
    keep_practice_mode(practice=True)
    Console(as_json=as_json).answer(done.to_dict(), done.text())


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"), required=False)
@click.option("--seed", type=click.IntRange(min=0), default=2027, show_default=True, help="Seed of the simulation.")
def demo(folder: Path, seed: int) -> None:
    """Simulate a trial in FOLDER and run it from start to end.

    FOLDER becomes a practice folder; what is made in it says so.
    """
    from evaluation.rehearsal.rehearse import run_demo
    from reports.writers.practice import get_practice_words

    start = run_demo(folder, seed=seed, progress=ProgressLine(), say=print_text)
    print_text(f"\n{get_practice_words('en').notice}\nThe reports are here: open {start}")


ROAD: dict[str, tuple[click.Command, ...]] = {
    "Before the draw": (init, plan, power),
    "The draw": (assign, verify, certificate),
    "Data": (forms, propose, collect, returns, checks, codebook, freeze, withdraw),
    "Results": (balance, impact, report, publish, export),
    "Upkeep": (status, log, audit, lock, unlock, erase),
    "Practice": (demo, simulate),
    "Without a trial": (fit,),
}
"""Every command, by the part of the road on which it is used."""

COMMANDS = {command.name or "": command for commands in ROAD.values() for command in commands}
"""Every command by its name."""
