"""The commands about schools' data beside the stages: forms to fill in, and what becomes of what came back."""

from __future__ import annotations

import os
from pathlib import Path

import click

from evaluation.cli.console import Console, ProgressLine, count


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--wave", required=True, help="The wave that the forms are for.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def forms(folder: Path, *, wave: str, as_json: bool) -> None:
    """Write an entry workbook for each school, with its own pupils in it, and XLSForms."""
    from evaluation.trial import Trial

    trial = Trial(folder, progress=ProgressLine())
    made = trial.forms(wave=wave)
    text = (
        f"{count(len(made.workbooks), 'workbook', 'workbooks')} in {trial.paths.private / 'forms' / wave}: one a "
        "school, with identifiers of its pupils; send each to its school only.\n"
        f"{count(len(made.xlsforms), 'XLSForm', 'XLSForms')} for ODK or KoBo in {folder / 'output' / 'forms' / wave}."
    )
    Console(as_json=as_json).answer(made.to_dict(), text)


@click.command()
@click.argument("pupil")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--school", default="", help="The pupil's school, when PUPIL is the identifier that the school uses.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def erase(pupil: str, folder: Path, *, school: str, as_json: bool) -> None:
    """Erase a PUPIL whose consent was withdrawn: a pseudonym, or with --school the school's identifier."""
    from evaluation.trial import Trial

    done = Trial(folder, progress=ProgressLine()).erase(pupil=pupil, school=school)
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
    from evaluation.trial import Trial

    trial = Trial(folder)
    passphrase = os.environ.get("CROCOOS_PASSPHRASE") or click.prompt(
        "Passphrase (four or five words)", hide_input=True, confirmation_prompt=True
    )
    path = trial.lock(passphrase)
    text = f"{path} opens the key table, with the passphrase. Without it nobody can say again who is who."
    Console(as_json=as_json).answer({"identity": str(path)}, text)


@click.command()
@click.argument("country")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def export(country: str, folder: Path, *, as_json: bool) -> None:
    """Write the data of one COUNTRY, pseudonymised: CSV, Parquet, Stata, SPSS, codebook."""
    from evaluation.trial import Trial

    made = Trial(folder, progress=ProgressLine()).export(country=country)
    text = f"{count(made.n_rows, 'row', 'rows')} in {count(len(made.files), 'file', 'files')} in {made.folder}."
    Console(as_json=as_json).answer(made.to_dict(), text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def returns(folder: Path, *, as_json: bool) -> None:
    """Write a page of returns: who has sent what, when, how complete it is, what is open."""
    from evaluation.trial import Trial

    made = Trial(folder).returns()
    text = f"{count(len(made.files), 'page', 'pages')} in {made.folder}: all countries, and each for its own partner."
    Console(as_json=as_json).answer(made.to_dict(), text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def codebook(folder: Path, *, as_json: bool) -> None:
    """Write what every table and field holds, with frequencies that give nobody away."""
    from evaluation.trial import Trial

    made = Trial(folder).codebook()
    Console(as_json=as_json).answer(made.to_dict(), f"{made.folder / 'codebook.csv'}, and a schema for each table.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--by-arm", is_flag=True, help="Compare missing values between the arms too; this may unblind you.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def checks(folder: Path, *, by_arm: bool, as_json: bool) -> None:
    """Look for what is odd in the data: outliers, estimated digits, jumps, copied records."""
    from evaluation.trial import Trial

    trial = Trial(folder, progress=ProgressLine())
    found = trial.checks(by_arm=by_arm)
    rows = found.to_dict("records")
    lines = [
        f"{count(len(rows), 'thing is', 'things are')} odd ({trial.paths.root / 'output' / 'checks' / 'checks.csv'})."
    ]
    lines += [
        f"  {row['check']}: {row['table']}, {row['wave'] or '-'}, {row['country']} {row['school_id']} {row['field']}: "
        f"{row['problem']}"
        for row in rows[:20]
    ]
    Console(as_json=as_json).answer({"n_odd": len(rows), "odd": rows}, "\n".join(lines))


DATA_COMMANDS = (forms, returns, checks, codebook, export, lock, erase)
"""These commands, in the order in which a trial uses them."""
