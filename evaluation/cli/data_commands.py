"""The commands about schools' data beside the stages: forms to fill in, and what becomes of what came back."""

from __future__ import annotations

import os
from pathlib import Path

import click

from evaluation.cli.console import Console, count
from evaluation.cli.folder import open_trial

SHOWN = 20
"""Odd things that are printed; the file has all."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--wave", required=True, help="The wave that the forms are for.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def forms(folder: Path, *, wave: str, as_json: bool) -> None:
    """Write an entry workbook for each school, with its own pupils, and for each partner; and XLSForms."""
    trial = open_trial(folder)
    made = trial.forms(wave=wave)
    text = (
        f"{count(len(made.workbooks), 'workbook', 'workbooks')} in {trial.paths.private / 'forms' / wave}: one a "
        "school, with identifiers of its pupils; send each to its school only.\n"
        f"{count(len(made.lists), 'list', 'lists')} of pupils there, one a school: attach it as pupils.csv to the "
        "XLSForms that the school fills in.\n"
        f"{count(len(made.partners), 'workbook', 'workbooks')} for partners and "
        f"{count(len(made.xlsforms), 'XLSForm', 'XLSForms')} for ODK or KoBo, by country, in "
        f"{folder / 'output' / 'forms' / wave}."
    )
    for language, places in made.untold.items():
        text += f"\nNo label in '{language}', so English stands there: {', '.join(places)}."
    Console(as_json=as_json).answer(made.to_dict(), text)


@click.command()
@click.argument("pupil")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--school", default="", help="The pupil's school, when PUPIL is the identifier that the school uses.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def erase(pupil: str, folder: Path, *, school: str, as_json: bool) -> None:
    """Erase a PUPIL whose consent was withdrawn: a pseudonym, or with --school the school's identifier."""
    done = open_trial(folder).erase(pupil=pupil, school=school)
    lines = [f"{count(sum(done.rows.values()), 'row', 'rows')} erased from the store and the key table."]
    lines += [f"Removed, to be written anew: {name}" for name in done.removed]
    lines += [f"Still in a file that a school sent, which only you may change: inbox/{name}" for name in done.inbox]
    lines.append(f"The certificate: {done.certificate}")
    Console(as_json=as_json).answer(done.to_dict(), "\n".join(lines))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def lock(folder: Path, *, as_json: bool) -> None:
    """Lock the key table with a passphrase: asked for twice, or read from CROCOOS_PASSPHRASE."""
    trial = open_trial(folder)
    passphrase = os.environ.get("CROCOOS_PASSPHRASE") or click.prompt(
        "Passphrase (four or five words)", hide_input=True, confirmation_prompt=True
    )
    path = trial.lock(passphrase)
    text = f"{path} opens the key table, with the passphrase. Without it nobody can say again who is who."
    Console(as_json=as_json).answer({"identity": str(path)}, text)


@click.command()
@click.argument("country")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--k", type=int, help="Coarsen until so many pupils are alike in what others may know of them.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def export(country: str, folder: Path, *, k: int | None, as_json: bool) -> None:
    """Write the data of one COUNTRY, pseudonymised: CSV, Parquet, Stata, SPSS, codebook."""
    made = open_trial(folder).export(country=country, k=k)
    text = f"{count(made.n_rows, 'row', 'rows')} in {count(len(made.files), 'file', 'files')} in {made.folder}."
    if made.anonymity is not None and made.anonymity.n_pupils:
        text += f"\nk = {made.anonymity.k}: so many pupils are alike at least; README.md there says in what."
    if made.n_withheld:
        text += f"\n{count(made.n_withheld, 'row', 'rows')} left out: the pupil's consent is refused."
    Console(as_json=as_json).answer(made.to_dict(), text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def returns(folder: Path, *, as_json: bool) -> None:
    """Write a page of returns: who has sent what, when, how complete it is, what is open."""
    made = open_trial(folder).returns()
    text = f"{count(len(made.files), 'page', 'pages')} in {made.folder}: all countries, and each for its own partner."
    Console(as_json=as_json).answer(made.to_dict(), text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def codebook(folder: Path, *, as_json: bool) -> None:
    """Write what every table and field holds, with frequencies that give nobody away."""
    made = open_trial(folder).codebook()
    Console(as_json=as_json).answer(made.to_dict(), f"{made.folder}: codebook.csv, pages, and a schema for each table.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--by-arm", is_flag=True, help="Compare missing values between the arms too; this may unblind you.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def checks(folder: Path, *, by_arm: bool, as_json: bool) -> None:
    """Look for what is odd in the data: outliers, estimated digits, jumps, copied records."""
    trial = open_trial(folder)
    found = trial.checks(by_arm=by_arm)
    rows = found.to_dict("records")
    lines = [
        f"{count(len(rows), 'thing is', 'things are')} odd ({trial.paths.root / 'output' / 'checks' / 'checks.csv'})."
    ]
    lines += [
        f"  {row['check']}: {row['table']}, {row['wave'] or '-'}, {row['country']} {row['school_id']} {row['field']}: "
        f"{row['problem']}"
        for row in rows[:SHOWN]
    ]
    if len(rows) > SHOWN:
        lines.append(f"  ... and {len(rows) - SHOWN} more, in that file.")
    Console(as_json=as_json).answer({"n_odd": len(rows), "odd": rows}, "\n".join(lines))


@click.command()
@click.argument("file")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--superseded-by", default="", help="The file that takes its place, below inbox/.")
@click.option("--restore", is_flag=True, help="Take the file in again.")
@click.option("--reason", required=True, help="Why, for the log. No names of pupils.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def withdraw(file: str, folder: Path, *, superseded_by: str, restore: bool, reason: str, as_json: bool) -> None:
    """Keep a FILE of inbox/ out, or have another take its place; the file itself is not touched."""
    if restore and superseded_by:
        raise click.UsageError("A file is restored, or another takes its place: leave one of the two options out.")
    trial = open_trial(folder)
    if restore:
        trial.restore(file=file, reason=reason)
    else:
        trial.withdraw(file=file, reason=reason, superseded_by=superseded_by)
    detail = trial.log().entries[-1].detail
    text = f"{detail['file']} is {'to be taken in again' if restore else 'withdrawn'}. Next: crocoos collect {folder}"
    values = {"file": detail["file"], "withdrawn": not restore, "superseded_by": detail.get("superseded_by", "")}
    Console(as_json=as_json).answer(values, text)


@click.command()
@click.argument("wave")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--thaw", is_flag=True, help="Let its data change again; needs a reason.")
@click.option("--reason", default="", help="Why it is thawed, for the log. No names of pupils.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def freeze(wave: str, folder: Path, *, thaw: bool, reason: str, as_json: bool) -> None:
    """Freeze the data of a WAVE: files and answers that come later change nothing in it."""
    trial = open_trial(folder)
    if thaw:
        trial.thaw(wave=wave, reason=reason)
        Console(as_json=as_json).answer(
            {"wave": wave, "frozen": ""}, f"{wave} can change again. Next: crocoos collect {folder}"
        )
        return
    made = trial.freeze(wave=wave)
    Console(as_json=as_json).answer(made.to_dict(), f"{wave} is frozen; the hash of its data: {made.sha256}")


DATA_COMMANDS = (forms, returns, checks, codebook, freeze, withdraw, export, lock, erase)
"""These commands, in the order in which a trial uses them."""
