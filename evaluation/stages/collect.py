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
from evaluation.consent import filter_by_consent, is_consent_required
from evaluation.custody import LOG_SHA256, compute_fingerprints
from evaluation.decisions import collect_decisions, find_frozen_waves, verify_frozen_waves
from evaluation.erasure import announce_erasures, count_erased_rows_in_files, read_tombstones
from evaluation.frame import select_eligible_schools
from evaluation.frame_persons import iterate_frame_texts, map_school_names
from evaluation.guarded_files import build_file_marker, ensure_trial_key, keep_file, read_private_file
from evaluation.known_forms import build_known_forms
from evaluation.mode import mark_of
from evaluation.provenance import protect_folder, stage_folder
from evaluation.specifications import build_inbox_rules, compute_wave_windows, find_needed_fields, find_pupil_lists
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
from evaluation.trial_log import Event, build_log_announcement

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
    from data_schema.erasure import REFUSED_TOLD, UNANSWERED_TOLD, remove_erased_pupils, remove_places_from_intake
    from data_schema.pseudonyms import pseudonymised
    from data_schema.store import content_hash, write_store

    require_inbox_files(trial)
    # Before anything is read: the marks of the files are made with it.
    key = ensure_trial_key(trial)
    inputs = inputs_of(trial, "collect")
    intake = read_intake(trial)
    tables = trial.tables
    pseudonymous, key_table = pseudonymised(intake.frames, key=key, tables=tables)
    waves = verify_frozen_waves(trial, pseudonymous)
    erased = remove_erased_pupils(pseudonymous, key_table, tombstones=read_tombstones(trial), key=key)
    without_refusals, consented_tables, counts = filter_by_consent(trial, erased)
    intake = remove_places_from_intake(remove_places_from_intake(intake, erased), without_refusals, told=REFUSED_TOLD)
    # Whose answer cannot be read, or whose identifier is not on the list that has the answers, is asked about.
    still_asked = (trial.protocol.privacy.consent, "pupil_id", "school_id")
    intake = remove_places_from_intake(intake, consented_tables, told=UNANSWERED_TOLD, still_asked=still_asked)
    frames = {name: _sort_by_pseudonym(frame, tables[name]) for name, frame in consented_tables.frames.items()}
    announce_erasures(trial)
    _keep_key_table(trial, consented_tables.key_table)
    content = content_hash(frames)
    guarded = compute_fingerprints(trial)
    log_facts = {
        "data_sha256": content,
        "tables": _format_filled_tables(frames),
        **guarded,
        **count_erased_rows_in_files(trial, erased.counts),
    }
    announce = build_log_announcement(trial, Event.COLLECTED, log_facts, again=False)
    protect_folder(trial.paths.private)
    if os.access(trial.paths.inbox, os.W_OK):
        protect_folder(trial.paths.inbox)
    with stage_folder(trial.paths.store, stage="collect", inputs=inputs, announce=announce) as folder:
        protect_folder(folder)
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
                    sorted(intake.called.get(file, file) for file in collect_decisions(trial).withdrawn)
                ),
                "frozen": json.dumps([frozen_wave.to_dict() for frozen_wave in find_frozen_waves(trial).values()]),
            },
            answers=intake.answers,
        )
        _write_json({"sha256": content}, folder / CONTENT)
        _write_json(intake.digests, folder / FILES)
        _write_json(waves, folder / WAVES)
        _write_csv(intake.findings.to_frame(), folder / QUESTIONS)
        _write_csv(intake.repairs, folder / REPAIRS)
        _write_csv(intake.reconciliation, folder / RETURNS)
        _write_csv(intake.answers, folder / ANSWERS)
        for name, frame in _describe_file_returns(trial, intake, frames).items():
            _write_csv(frame, folder / name)
        if intake.links is not None:
            _write_csv(intake.links, folder / LINKS)
        _write_queries(trial, intake, folder / QUERIES)
    return Collected(
        returns=intake.reconciliation,
        findings=intake.findings,
        n_repairs=len(intake.repairs),
        n_answers=len(intake.answers),
        queries={school: len(queries) for school, queries in intake.queries.items()},
    )


def _sort_by_pseudonym(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return rows of pupils in the order of pseudonyms, without their place in a file: lists are sorted by identifier.

    Who has a school's list would otherwise count down to whom a row is about.
    """
    if "pupil_id" not in frame:
        return frame
    by = list(dict.fromkeys(("school_id", "pupil_id", *table.key, "wave")))
    return frame.drop(columns="source_row").sort_values(by, kind="stable", ignore_index=True)


def _format_filled_tables(frames: Mapping[str, pd.DataFrame]) -> str:
    """Return the tables that hold rows, wave by wave, for the log: "baseline: pupil, survey; followup: status"."""
    held: dict[str, list[str]] = {}
    for table, frame in sorted(frames.items()):
        for wave in sorted(set(frame["wave"].astype(str))) if "wave" in frame else [""] if len(frame) else []:
            held.setdefault(wave, []).append(table)
    return "; ".join(f"{wave}: {', '.join(tables)}" if wave else ", ".join(tables) for wave, tables in held.items())


def _describe_file_returns(
    trial: TrialFolder, intake: Intake, frames: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Describe who has sent what, how complete it is and what is open: by school, and by wave, table and country."""
    from data_schema.returns import open_questions, summarise_completeness, summarise_returns_by_school

    eligible_schools = select_eligible_schools(trial.schools()[0])
    schools = dict(zip(eligible_schools["school_id"], eligible_schools["country"], strict=True))
    tables = trial.tables
    expected = dict.fromkeys(
        (rule.table, wave)
        for rule in trial.protocol.inbox
        for wave in (trial.protocol.wave_names if tables[rule.table].by_wave else ("",))
        if rule.is_of(wave)
    )
    by_school = summarise_returns_by_school(frames, expected=expected, schools=schools, tables=tables)
    questions = open_questions(intake.queries, imports=intake.reconciliation, schools=schools)
    countries = sorted(set(schools.values()))
    completeness_table = summarise_completeness(
        intake.reconciliation, by_school, questions=questions, countries=countries
    )
    return {BY_SCHOOL: by_school, COMPLETENESS: completeness_table, OPEN: questions}


def _write_queries(trial: TrialFolder, intake: Intake, folder: Path) -> None:
    """Write a workbook of questions for each school that has any, in the language of its country."""
    from data_schema.language import Catalogue, Language
    from data_schema.messages import get_language_of_country
    from data_schema.queries import query_workbook
    from data_schema.workbooks import clean_file_name

    schools = trial.schools()[0]
    country_of = dict(zip(schools["school_id"], schools["country"], strict=True))
    folder.mkdir()
    for done, (school, queries) in enumerate(intake.queries.items()):
        trial.progress("Writing questions", done, len(intake.queries))
        catalogue = Catalogue("data_schema", Language(get_language_of_country(country_of.get(school, ""))))
        mark = mark_of(trial, catalogue.language.code)
        content = query_workbook(queries, school=school or "?", catalogue=catalogue, mark=mark)
        (folder / f"{clean_file_name(school) if school else 'other'}.xlsx").write_bytes(content)
    trial.progress("Writing questions", len(intake.queries), len(intake.queries))


def require_inbox_files(trial: TrialFolder) -> Mapping[str, Path | bytes]:
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


def read_intake(trial: TrialFolder) -> Intake:
    """Read the files below inbox/, with the identifiers in them; nothing is written.

    Raises
    ------
    DataError
        When there is no file.
    """
    from data_schema.intake import read_inbox

    files = require_inbox_files(trial)
    schools = select_eligible_schools(trial.schools()[0])
    return read_inbox(
        files,
        rules=build_inbox_rules(trial.protocol),
        tables=trial.tables,
        schools=dict(zip(schools["school_id"], schools["country"], strict=True)),
        school_names=tuple(iterate_frame_texts(schools, trial.tables)),
        names=map_school_names(schools),
        waves=trial.protocol.wave_names,
        wave_dates=compute_wave_windows(trial.protocol),
        lists=find_pupil_lists(trial.protocol),
        needed=find_needed_fields(trial.protocol, trial.tables),
        consent=trial.protocol.privacy.consent,
        needs_consent=is_consent_required(trial.protocol.privacy),
        follow=trial.protocol.linking.by_name,
        decisions=collect_decisions(trial),
        # Only where submissions name their form: to make all forms takes a second.
        known_forms=lambda: build_known_forms(trial),
        digest=build_file_marker(trial),
        progress=trial.progress,
    )


def _write_json(values: Mapping[str, object], path: Path) -> None:
    path.write_text(json.dumps(values, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    from data_schema.exports import encode_csv

    path.write_bytes(encode_csv(frame))


def _keep_key_table(trial: TrialFolder, key_table: pd.DataFrame) -> None:
    """Write who is who, encrypted to the recipient; the identity that opens it belongs elsewhere."""
    from data_schema.pseudonyms import encrypt_key_table, new_identity

    recipient = read_private_file(trial, "private/recipient.txt")
    if recipient is None:
        key_recipient, identity = new_identity()
        recipient = f"{key_recipient}\n".encode()
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
