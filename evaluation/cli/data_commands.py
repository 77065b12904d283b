"""The commands about schools' data beside the stages: forms to fill in, and what becomes of what came back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evaluation.cli.console import Console, count
from evaluation.cli.folder import add_key_option, add_opening_options, ask_for_secret, open_trial, set_opening_reason

if TYPE_CHECKING:
    from evaluation.proposed_rules import Proposal

SHOWN = 20
"""Odd things that are printed; the file has all."""


@click.command()
@add_opening_options
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--wave", required=True, help="The wave that the forms are for.")
@click.option("--to", type=click.Path(path_type=Path), help="Hand out what is for schools, to a new folder elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def forms(folder: Path, *, wave: str, to: Path | None, as_json: bool) -> None:
    """Write an entry workbook for each school, and XLSForms.

    A workbook has the pupils of its school; each partner gets one as well.

    What is for schools names their pupils: it is in private/forms/, and after `crocoos lock` in the vault. --to copies
    it out to be sent, and the log says so.
    """
    from evaluation.guarded_files import is_sealed

    trial = open_trial(folder)
    form_files = trial.forms(wave=wave, to=to)
    where = to or ("the vault" if is_sealed(trial) else trial.paths.private / "forms" / wave)
    text = (
        f"{count(len(form_files.workbooks), 'workbook', 'workbooks')} in {where}: one a "
        "school, with identifiers of its pupils; send each to its school only.\n"
        f"{count(len(form_files.lists), 'list', 'lists')} of pupils there, one per school: attach it as "
        "pupils.csv to the "
        "XLSForms that the school fills in.\n"
        f"{count(len(form_files.partners), 'workbook', 'workbooks')} for partners and "
        f"{count(len(form_files.xlsforms), 'XLSForm', 'XLSForms')} for ODK or KoBo, by country, in "
        f"{folder / 'output' / 'forms' / wave}."
    )
    for language, places in form_files.untold.items():
        text += f"\nNo label in '{language}', so English is used there: {', '.join(places)}."
    if to is not None:
        text += f"\nWhat was handed out is no longer in the trial's custody: once it is sent, delete {to}."
    elif is_sealed(trial):
        text += f"\nTo hand them out to be sent, which the log tells: `crocoos forms --wave {wave} --to FOLDER`."
    Console(as_json=as_json).answer(form_files.to_dict(), text)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def propose(path: Path, folder: Path, *, as_json: bool) -> None:
    """Draft the [[inbox]] rules for the file or folder at PATH.

    Also show what the rules would make of the first rows. Nothing is changed.
    """
    proposals = open_trial(folder).propose(path=path)
    lines = [f"# {proposals.note}", ""] if proposals.note else []
    lines += [line for proposal in proposals.drafts for line in _format_draft_lines(proposal)]
    if proposals.others:
        lines += ["No rule is drafted for:", *(f"  {file}: {why}" for file, why in proposals.others.items()), ""]
    if proposals.drafts:
        place = folder / "trial.toml"
        lines.append(
            f"No file was changed. Paste the rules that are right into {place}, settle what is undecided, and run: "
            f"crocoos plan {folder}"
        )
    Console(as_json=as_json).answer(proposals.to_dict(), "\n".join(lines))


def _format_draft_lines(draft: Proposal) -> Iterator[str]:
    """Yield the lines that show a draft: the rule, then as remarks what it gives and what is left to do."""
    yield from draft.toml.splitlines()
    yield f"# {count(len(draft.files), 'file', 'files')}: {', '.join(draft.files[:SHOWN])}"
    yield from (f"# Undecided: {text}" for text in draft.undecided)
    if draft.counts:
        yield "# Rows: " + ", ".join(f"{n} {name}" for name, n in draft.counts.items())
    if draft.rows is not None and len(draft.rows):
        yield from (f"#   {line}" for line in draft.rows.to_string(index=False, na_rep="").splitlines())
    condensed_findings = draft.findings.condensed()
    yield from (f"# {finding}" for finding in condensed_findings[:SHOWN])
    if len(condensed_findings) > SHOWN:
        yield f"# ... and {len(condensed_findings) - SHOWN} more findings: --json has all."
    yield ""


@click.command()
@add_opening_options
@click.argument("pupil")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--school", default="", help="The pupil's school, when PUPIL is the identifier that the school uses.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def erase(pupil: str, folder: Path, *, school: str, as_json: bool) -> None:
    """Erase a PUPIL whose consent was withdrawn.

    PUPIL is a pseudonym or, with --school, the identifier that the school uses.
    """
    from evaluation.erasure import FROM_FILES

    done = open_trial(folder).erase(pupil=pupil, school=school)
    lines = [f"{count(sum(done.rows.values()), 'row', 'rows')} erased from the store and the key table."]
    lines += [f"Removed, to be written anew: {name}" for name in done.removed]
    lines += [f"Still in a file that a school sent: inbox/{name}" for name in done.inbox]
    lines += [FROM_FILES] if done.inbox else []
    lines.append(f"The certificate: {done.certificate}")
    Console(as_json=as_json).answer(done.to_dict(), "\n".join(lines))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--recipient", multiple=True, help="Of an opener who keeps an identity of age elsewhere: 'age1...'.")
@click.option("--renew", is_flag=True, help="What is sealed gets other openers or passphrases.")
@add_opening_options
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def lock(folder: Path, *, recipient: tuple[str, ...], renew: bool, as_json: bool) -> None:
    """Seal what tells who is who.

    That is the key of the pseudonyms, the key table, the files of schools, and their forms.

    Each opener that the protocol names types a passphrase twice (or CROCOOS_PASSPHRASE has it), or has a --recipient.
    What is sealed already is opened, and what has come since is sealed with it.
    """
    from evaluation.guarded_files import is_sealed

    trial = open_trial(folder)
    names = trial.protocol.privacy.openers
    secrets: tuple[str, ...] = ()
    if renew or not is_sealed(trial):
        numbered = enumerate(names[len(recipient) :], len(recipient) + 1)
        secrets = (
            *recipient,
            *(ask_for_secret(opener_name, number, new=True, renewed=renew) for number, opener_name in numbered),
        )
    path = trial.lock(*secrets)
    who = " and ".join(names)
    text = f"{path} holds what tells who is who, and opens for: {who}. Without their secrets nobody opens it, ever."
    Console(as_json=as_json).answer({"vault": str(path), "openers": list(names)}, text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--for-good", is_flag=True, help="Put everything back in the clear, and give the vault up.")
@add_opening_options
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def unlock(folder: Path, *, for_good: bool, as_json: bool) -> None:
    """Check that what is sealed can be opened.

    The log tells of it. With --for-good, what was sealed is put back in the clear.
    """
    done = open_trial(folder).unlock(for_good=for_good)
    state = "lie in the clear again" if for_good else "are in it, whole; nothing was written"
    text = f"It opens. {count(done.n_sent, 'file', 'files')} of schools and {done.n_private} others {state}."
    Console(as_json=as_json).answer(done.to_dict(), text)


@click.command()
@click.argument("country")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--k", type=int, help="Coarsen until so many pupils are alike in what others may know of them.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def export(country: str, folder: Path, *, k: int | None, as_json: bool) -> None:
    """Write the data of one COUNTRY, pseudonymised.

    As CSV, Parquet, Stata and SPSS files, with a codebook.
    """
    export_files = open_trial(folder).export(country=country, k=k)
    text = (
        f"{count(export_files.n_rows, 'row', 'rows')} in {count(len(export_files.files), 'file', 'files')} in "
        f"{export_files.folder}."
    )
    if export_files.anonymity is not None and export_files.anonymity.n_pupils:
        text += f"\nk = {export_files.anonymity.k}: so many pupils are alike at least; README.md there says in what."
    if export_files.n_withheld:
        text += f"\n{count(export_files.n_withheld, 'row', 'rows')} left out: the pupil's consent is refused."
    Console(as_json=as_json).answer(export_files.to_dict(), text)


@click.command()
@add_opening_options
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def returns(folder: Path, *, as_json: bool) -> None:
    """Write a page on who has sent what, and what is open.

    Also when it was sent, and how complete it is.
    """
    returns_pages = open_trial(folder).returns()
    text = (
        f"{count(len(returns_pages.files), 'page', 'pages')} in {returns_pages.folder}: all countries, and "
        "each for its own partner."
    )
    Console(as_json=as_json).answer(returns_pages.to_dict(), text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def codebook(folder: Path, *, as_json: bool) -> None:
    """Write a codebook of every table and field.

    With frequencies from which no small number of pupils follows.
    """
    codebook_files = open_trial(folder).codebook()
    Console(as_json=as_json).answer(
        codebook_files.to_dict(), f"{codebook_files.folder}: codebook.csv, pages, and a schema for each table."
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--by-arm", is_flag=True, help="Compare missing values between the arms too; this may unblind you.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def checks(folder: Path, *, by_arm: bool, as_json: bool) -> None:
    """Look for odd data: outliers, jumps, copied records.

    Also for numbers whose last digits look estimated.
    """
    trial = open_trial(folder)
    check_results = trial.checks(by_arm=by_arm)
    rows = check_results.to_dict("records")
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
@add_key_option
@click.argument("file")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--superseded-by", default="", help="The file that takes its place, below inbox/.")
@click.option("--restore", is_flag=True, help="Take the file in again.")
@click.option("--reason", required=True, help="Why, for the log. No names of pupils.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def withdraw(file: str, folder: Path, *, superseded_by: str, restore: bool, reason: str, as_json: bool) -> None:
    """Keep a FILE of inbox/ out, or replace it by another.

    The file itself is not touched.
    """
    if restore and superseded_by:
        raise click.UsageError("A file is restored, or another takes its place: leave one of the two options out.")
    set_opening_reason(reason)
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
@add_key_option
@click.argument("wave")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--thaw", is_flag=True, help="Let its data change again; needs a reason.")
@click.option(
    "--reason", default="", help="Why it is thawed, or what is sealed opened, for the log. No names of pupils."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def freeze(wave: str, folder: Path, *, thaw: bool, reason: str, as_json: bool) -> None:
    """Freeze the data of a WAVE.

    Files and answers that come later change nothing in it.
    """
    set_opening_reason(reason)
    trial = open_trial(folder)
    if thaw:
        trial.thaw(wave=wave, reason=reason)
        Console(as_json=as_json).answer(
            {"wave": wave, "frozen": ""}, f"{wave} can change again. Next: crocoos collect {folder}"
        )
        return
    frozen_wave = trial.freeze(wave=wave)
    Console(as_json=as_json).answer(
        frozen_wave.to_dict(), f"{wave} is frozen; the hash of its data: {frozen_wave.sha256}"
    )
