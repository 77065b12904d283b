"""collect: what schools sent becomes checked, pseudonymised tables, a list of questions and a list of returns.

The store is rebuilt from the whole inbox each time: what a school sent is the only source, the same files give the
same tables, and a file that is sent again or taken away needs no undoing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import DataError
from data_schema.files import write_whole
from evaluation.consent import by_consent, needs_answer
from evaluation.custody import LOG_SHA256, fingerprints
from evaluation.decisions import checked_waves, decisions_of, frozen_waves
from evaluation.erasure import announce_erasures, erased_in_files, tombstones_of
from evaluation.frame import eligible
from evaluation.frame_persons import names_of, texts_of
from evaluation.guarded_files import held, keep_file, marker_of, trial_key
from evaluation.known_forms import known_forms
from evaluation.mode import mark_of
from evaluation.provenance import ignore_itself, stage_folder
from evaluation.specifications import inbox_rules_of, lists_of_pupils, needed_fields, wave_windows
from evaluation.stages import inputs_of
from evaluation.stored import (
    ANSWERS,
    BY_SCHOOL,
    COMPLETENESS,
    CONTENT,
    FILES,
    LINKS,
    OPEN,
    QUERIES,
    QUESTIONS,
    REPAIRS,
    RETURNS,
    STORE,
    WAVES,
)
from evaluation.trial_log import Event, announced

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.findings import Findings
    from data_schema.intake import Intake
    from data_schema.tables import Table
    from evaluation.folder import TrialFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What intake has to say.

    Parameters
    ----------
    returns
        One row per file, sheet and table: sent, kept, asked, refused.
    findings
        Everything that somebody should know, with its place and remedy.
    n_repairs
        Cells that were repaired; each is a row in store/repairs.csv.
    n_answers
        Answers of schools that were read; each is a row in store/answers.csv.
    queries
        School to its open questions; each school has a workbook in store/queries/ to answer in.
    """

    returns: pd.DataFrame
    findings: Findings
    n_repairs: int
    n_answers: int = 0
    queries: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the counts and the findings as JSON values."""
        counts = {name: int(self.returns[name].sum()) for name in ("sent", "kept", "asked", "refused")}
        severities = {f"n_{name}": len(self.findings.by_severity(name)) for name in ("question", "refused", "note")}
        asked = {"n_answers": self.n_answers, "queries": dict(self.queries)}
        n_files = int(self.returns["file"].nunique())
        return {**counts, **severities, "n_files": n_files, "n_repairs": self.n_repairs, **asked}


def collect(trial: TrialFolder) -> Collected:
    """Read every file below inbox/.

    Raises
    ------
    DataError
        When there is no file, data of a frozen wave would change, or consent is refused and the protocol does not say
        what that means.
    StorageError
        When the store cannot be written; the one before is as it was.
    """
    from data_schema.erasure import REFUSED_TOLD, UNANSWERED_TOLD, told_without, without_erased
    from data_schema.pseudonyms import pseudonymised
    from data_schema.store import content_hash, write_store

    need_files(trial)
    # Before anything is read: the marks of the files are made with it.
    key = trial_key(trial)
    inputs = inputs_of(trial, "collect")
    intake = taken_in(trial)
    tables = trial.tables
    pseudonymous, key_table = pseudonymised(intake.frames, key=key, tables=tables)
    waves = checked_waves(trial, pseudonymous)
    erased = without_erased(pseudonymous, key_table, tombstones=tombstones_of(trial), key=key)
    without_refusals, kept, counts = by_consent(trial, erased)
    intake = told_without(told_without(intake, erased), without_refusals, told=REFUSED_TOLD)
    # Whose answer cannot be read, or whose identifier is not on the list that has the answers, is asked about.
    still_asked = (trial.protocol.privacy.consent, "pupil_id", "school_id")
    intake = told_without(intake, kept, told=UNANSWERED_TOLD, still_asked=still_asked)
    frames = {name: _mixed(frame, tables[name]) for name, frame in kept.frames.items()}
    announce_erasures(trial)
    _keep_key_table(trial, kept.key_table)
    content = content_hash(frames)
    guarded = fingerprints(trial)
    told = {
        "data_sha256": content,
        "tables": _tables_with_rows(frames),
        **guarded,
        **erased_in_files(trial, erased.counts),
    }
    announce = announced(trial, Event.COLLECTED, told, again=False)
    ignore_itself(trial.paths.private)
    if os.access(trial.paths.inbox, os.W_OK):
        ignore_itself(trial.paths.inbox)
    with stage_folder(trial.paths.store, stage="collect", inputs=inputs, announce=announce) as folder:
        ignore_itself(folder)
        write_store(
            folder / STORE,
            frames=frames,
            imports=intake.reconciliation,
            repairs=intake.repairs,
            findings=intake.findings,
            facts={
                "content_sha256": content,
                **guarded,
                LOG_SHA256: trial.log().last_sha256,
                "erased": erased.counts.to_json(orient="records"),
                "refused": counts.refused.to_json(orient="records"),
                "unanswered": counts.unanswered.to_json(orient="records"),
                "withdrawn": json.dumps(
                    sorted(intake.called.get(file, file) for file in decisions_of(trial).withdrawn)
                ),
                "frozen": json.dumps([one.to_dict() for one in frozen_waves(trial).values()]),
            },
            answers=intake.answers,
        )
        _json({"sha256": content}, folder / CONTENT)
        _json(intake.digests, folder / FILES)
        _json(waves, folder / WAVES)
        _csv(intake.findings.to_frame(), folder / QUESTIONS)
        _csv(intake.repairs, folder / REPAIRS)
        _csv(intake.reconciliation, folder / RETURNS)
        _csv(intake.answers, folder / ANSWERS)
        for name, frame in _returns(trial, intake, frames).items():
            _csv(frame, folder / name)
        if intake.links is not None:
            _csv(intake.links, folder / LINKS)
        _write_queries(trial, intake, folder / QUERIES)
    return Collected(
        returns=intake.reconciliation,
        findings=intake.findings,
        n_repairs=len(intake.repairs),
        n_answers=len(intake.answers),
        queries={school: len(queries) for school, queries in intake.queries.items()},
    )


def _mixed(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return rows of pupils in the order of pseudonyms, without their place in a file: lists are sorted by identifier.

    Who has a school's list would otherwise count down to whom a row is about.
    """
    if "pupil_id" not in frame:
        return frame
    by = list(dict.fromkeys(("school_id", "pupil_id", *table.key, "wave")))
    return frame.drop(columns="source_row").sort_values(by, kind="stable", ignore_index=True)


def _tables_with_rows(frames: Mapping[str, pd.DataFrame]) -> str:
    """Return the tables that hold rows, wave by wave, for the log: "baseline: pupil, survey; followup: status"."""
    held: dict[str, list[str]] = {}
    for table, frame in sorted(frames.items()):
        for wave in sorted(set(frame["wave"].astype(str))) if "wave" in frame else [""] if len(frame) else []:
            held.setdefault(wave, []).append(table)
    return "; ".join(f"{wave}: {', '.join(tables)}" if wave else ", ".join(tables) for wave, tables in held.items())


def _returns(trial: TrialFolder, intake: Intake, frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Describe who has sent what, how complete it is and what is open: by school, and by wave, table and country."""
    from data_schema.returns import completeness, open_questions, returns_by_school

    eligible_schools = eligible(trial.schools()[0])
    schools = dict(zip(eligible_schools["school_id"], eligible_schools["country"], strict=True))
    tables = trial.tables
    expected = dict.fromkeys(
        (rule.table, wave)
        for rule in trial.protocol.inbox
        for wave in (trial.protocol.wave_names if tables[rule.table].by_wave else ("",))
        if rule.is_of(wave)
    )
    by_school = returns_by_school(frames, expected=expected, schools=schools, tables=tables)
    questions = open_questions(intake.queries, imports=intake.reconciliation, schools=schools)
    countries = sorted(set(schools.values()))
    told = completeness(intake.reconciliation, by_school, questions=questions, countries=countries)
    return {BY_SCHOOL: by_school, COMPLETENESS: told, OPEN: questions}


def _write_queries(trial: TrialFolder, intake: Intake, folder: Path) -> None:
    """Write a workbook of questions for each school that has any, in the language of its country."""
    from data_schema.language import Catalogue, Language
    from data_schema.messages import language_of
    from data_schema.queries import query_workbook
    from data_schema.workbooks import file_name

    schools = trial.schools()[0]
    country_of = dict(zip(schools["school_id"], schools["country"], strict=True))
    folder.mkdir()
    for done, (school, queries) in enumerate(intake.queries.items()):
        trial.progress("Writing questions", done, len(intake.queries))
        catalogue = Catalogue("data_schema", Language(language_of(country_of.get(school, ""))))
        mark = mark_of(trial, catalogue.language.code)
        content = query_workbook(queries, school=school or "?", catalogue=catalogue, mark=mark)
        (folder / f"{file_name(school) if school else 'other'}.xlsx").write_bytes(content)
    trial.progress("Writing questions", len(intake.queries), len(intake.queries))


def need_files(trial: TrialFolder) -> Mapping[str, Path | bytes]:
    """Return the files below inbox/.

    Raises
    ------
    DataError
        When there is none.
    """
    files = trial.inbox_files()
    if not files:
        raise DataError(
            "inbox/",
            "there is no file.",
            "Put the files that schools sent into inbox/, as they are, and run this again.",
        )
    return files


def taken_in(trial: TrialFolder) -> Intake:
    """Read the files below inbox/, with the identifiers in them; nothing is written.

    Raises
    ------
    DataError
        When there is no file.
    """
    from data_schema.intake import read_inbox

    files = need_files(trial)
    schools = eligible(trial.schools()[0])
    return read_inbox(
        files,
        rules=inbox_rules_of(trial.protocol),
        tables=trial.tables,
        schools=dict(zip(schools["school_id"], schools["country"], strict=True)),
        school_names=tuple(texts_of(schools, trial.tables)),
        names=names_of(schools),
        waves=trial.protocol.wave_names,
        wave_dates=wave_windows(trial.protocol),
        lists=lists_of_pupils(trial.protocol),
        needed=needed_fields(trial.protocol, trial.tables),
        consent=trial.protocol.privacy.consent,
        needs_consent=needs_answer(trial.protocol.privacy),
        follow=trial.protocol.linking.by_name,
        decisions=decisions_of(trial),
        # Only where submissions name their form: to make all forms takes a second.
        known_forms=lambda: known_forms(trial),
        digest=marker_of(trial),
        progress=trial.progress,
    )


def _json(values: Mapping[str, object], path: Path) -> None:
    path.write_text(json.dumps(values, ensure_ascii=False) + "\n", encoding="utf-8")


def _csv(frame: pd.DataFrame, path: Path) -> None:
    from data_schema.exports import csv_bytes

    path.write_bytes(csv_bytes(frame))


def _keep_key_table(trial: TrialFolder, key_table: pd.DataFrame) -> None:
    """Write who is who, encrypted to the recipient; the identity that opens it belongs elsewhere."""
    from data_schema.pseudonyms import encrypt_key_table, new_identity

    recipient = held(trial, "private/recipient.txt")
    if recipient is None:
        made, identity = new_identity()
        recipient = f"{made}\n".encode()
        keep_file(trial, "private/identity.txt", f"{identity}\n".encode())
        keep_file(trial, "private/recipient.txt", recipient)
        write_whole(trial.paths.private / "README.txt", _PRIVATE.encode(), mode=0o600)
    content = encrypt_key_table(key_table, recipient.decode("ascii").strip())
    keep_file(trial, "private/key_table.age", content)


_PRIVATE = """This folder links pseudonyms to pupils. No analysis and no report reads it.

pseudonym.key    makes the pseudonyms; without it the same pupil would get another one
key_table.age    who is who, encrypted (age); only the identity opens it
recipient.txt    what the key table is encrypted to
identity.txt     opens the key table
forms/           entry workbooks for schools, with identifiers of their pupils
vault.zip        all of these and the files of inbox/, once crocoos lock has sealed them: only its openers open it
erased.json      keeps pupils out whose data were erased; holds no pseudonyms
certificates/    what was erased, and when; holds no pseudonyms

Keep the folder out of git, out of mails and out of shared drives.
"""
