"""Files that schools sent -> checked tables, with every repair, every question and counts that add up."""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from data_schema.answers import Answers, Place
from data_schema.checks import check_across_tables
from data_schema.claims import Claim, Claims
from data_schema.columns import Draft, Part, build_draft
from data_schema.consent import find_refusals, find_unanswered_consent
from data_schema.conversions import Repair, convert_earlier_answers, convert_units
from data_schema.decisions import NO_DECISIONS, Decisions
from data_schema.files import compute_content_sha256
from data_schema.findings import Finding, Findings, compute_sheet_row
from data_schema.judging import REPAIR_COLUMNS, Judged, judge
from data_schema.linking import link_pupils
from data_schema.personal.gate import Gate, build_gate
from data_schema.personal.leaving import suppress_personal_data
from data_schema.personal.opening import collect_undeclared_names
from data_schema.personal.shapes import compute_latest_birth
from data_schema.personal.stand_ins import StandIns
from data_schema.placing import Setting
from data_schema.queries import Answer, Query, assign_queries_to_schools, build_queries, is_query_workbook, read_answers
from data_schema.readers import content_of
from data_schema.reading_order import about
from data_schema.record_rules import check_pupil_histories
from data_schema.returns import build_reconciliation, find_empty_columns
from data_schema.rules import InboxRule, check_rules
from data_schema.submissions import KnownForm
from data_schema.tables import Table
from data_schema.unrolling import SeenPlaces

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.layout import Layout

__all__ = ["InboxRule", "Intake", "read_inbox"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What intake made of an inbox.

    Parameters
    ----------
    frames
        Table to its rows, none for tables that nobody sent: the table's fields in their types, `wave` (empty for
        tables without waves), `country`, `source_file`, `source_sheet` and `source_row`. With identifiers: see
        `data_schema.pseudonyms`. By key and wave.
    findings
        Everything that somebody should know. Nothing that is of a person: see `data_schema.personal`.
    repairs
        One row a repaired cell: `file`, `sheet`, `row`, `column`, `was`, `became`, `rule`. The two values are empty
        for private fields.
    reconciliation
        One row per file, sheet and table: `file`, `sheet`, `table`, `wave`, `country`, `sent`, `kept`, `asked`,
        `refused`; sent = kept + asked + refused.
    answers
        What schools answered in workbooks of queries, as `Answers.to_frame` returns it.
    queries
        School ("" where it is not known) to the questions that are open; see `data_schema.queries`.
    links
        Pupils who were followed across waves; None when that was not asked for.
    digests
        File, also one in a zipped folder, to the hash of its content; for those that were read.
    called
        Path below the inbox to what the file is called in all of this, where its own name says something of a person;
        for those who look at the inbox, and to be written nowhere.
    """

    frames: Mapping[str, pd.DataFrame]
    findings: Findings
    repairs: pd.DataFrame
    reconciliation: pd.DataFrame
    answers: pd.DataFrame
    queries: Mapping[str, Sequence[Query]]
    links: pd.DataFrame | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_inbox(
    files: Mapping[str, Path | bytes],
    *,
    rules: Sequence[InboxRule],
    tables: Mapping[str, Table],
    schools: Mapping[str, str],
    school_names: Collection[str] = (),
    names: Mapping[str, str] = MappingProxyType({}),
    waves: Sequence[str],
    wave_dates: Mapping[str, tuple[date, date]] | None = None,
    lists: Sequence[str] = ("pupil",),
    needed: Mapping[tuple[str, str], Collection[str]] = MappingProxyType({}),
    consent: str = "consent",
    needs_consent: bool = False,
    follow: bool = False,
    decisions: Decisions = NO_DECISIONS,
    known_forms: Callable[[], Mapping[str, KnownForm]] | None = None,
    digest: Callable[[bytes], str] = compute_content_sha256,
    progress: Progress | None = None,
) -> Intake:
    """Read the files of an inbox.

    Parameters
    ----------
    files
        Path below the inbox, parts divided by "/", to the file or its content.
    rules
        Which file is which table.
    tables
        The tables, by name.
    schools
        `school_id` to country, for all schools of the trial.
    school_names
        What schools and places are called: "Kossuth Lajos" is no pupil where it is the name of a school.
    names
        `school_id` to the name of the school, where known: rules may say that files are known by it.
    waves
        Names of the waves, in their order.
    wave_dates
        Wave to its first and last day, where known, to check dates and months by.
    lists
        Names of the tables that say who the pupils of a school are; the first is the one whose pupils are followed.
    needed
        Table and wave to the fields that the results of the trial are made from: a file without one of them is asked
        about.
    consent
        Name of the yes/no field that holds a pupil's consent, in whichever tables about pupils have it.
    needs_consent
        Whether a missing answer is no consent, so that schools are asked for it.
    follow
        Whether pupils are followed across waves by name where their identifier changes; see `data_schema.linking`.
    decisions
        Files that were withdrawn and waves that were frozen: rows of theirs are counted as refused, with the reason.
    known_forms
        Returns the XLSForms of the trial by name, to compare submissions with that name their form; not compared with
        none.
    digest
        Makes the hash by which the content of a file is known again: a keyed one (`mark_of_file`) cannot be guessed.
    progress
        Receives what is being done, how much of it is done and how much there is.

    Returns
    -------
    Intake
        Frames, findings, repairs and the reconciliation. A file that cannot be read is a finding, never an error.

    Raises
    ------
    ProtocolError
        When a rule names a table or a wave that there is not.
    """
    check_rules(rules, tables=tables, waves=waves)
    with _disable_garbage_collection():
        return _process_files(
            files,
            rules=rules,
            tables=tables,
            schools=schools,
            school_names=school_names,
            names=names,
            waves=waves,
            wave_dates=wave_dates,
            lists=lists,
            needed=needed,
            consent=consent,
            needs_consent=needs_consent,
            follow=follow,
            decisions=decisions,
            known_forms=known_forms,
            digest=digest,
            progress=progress,
        )


@contextmanager
def _disable_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for garbage among millions of cells, none of which is."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _process_files(
    files: Mapping[str, Path | bytes],
    *,
    rules: Sequence[InboxRule],
    tables: Mapping[str, Table],
    schools: Mapping[str, str],
    school_names: Collection[str],
    names: Mapping[str, str],
    waves: Sequence[str],
    wave_dates: Mapping[str, tuple[date, date]] | None,
    lists: Sequence[str],
    needed: Mapping[tuple[str, str], Collection[str]],
    consent: str,
    needs_consent: bool,
    follow: bool,
    decisions: Decisions,
    known_forms: Callable[[], Mapping[str, KnownForm]] | None,
    digest: Callable[[bytes], str],
    progress: Progress | None,
) -> Intake:
    announce = progress or (lambda _what, _done, _total: None)
    # The school table is not collected: it is the frame.
    collected = {name: table for name, table in tables.items() if "country" not in table.names}
    claims = Claims(
        rules=rules,
        tables=collected,
        schools=schools,
        names=names,
        waves=waves,
        wave_dates=wave_dates or {},
        needed=needed,
        known_forms=known_forms,
        digest=digest,
    )
    returned, others = _extract_returned_answers(claims.without_dictionaries(files), claims, decisions)
    answers = Answers(returned)
    parts, recoded = _read(others, claims, answers, decisions, announce)
    setting = Setting(schools=schools, waves=waves, lists=lists, confirmed=answers.confirmed_places())
    drafts = _build_drafts(parts, tables, announce)
    words = (*waves, *(rule.pattern for rule in rules), *(rule.sheet for rule in rules))
    gate = _build_gate(
        drafts,
        tables,
        schools=schools,
        ordinary=words,
        phrases=school_names,
        wave_dates=wave_dates,
        confirmed=setting.confirmed,
    )
    judged = {name: judge(table_draft, setting=setting, gate=gate) for name, table_draft in drafts.items()}
    announce("Checking tables", len(parts), len(parts))
    findings = [*claims.findings, *claims.unmet(), *answers.unused()]
    frames = {name: _sort_rows_by_key(judgement.frame, tables[name], waves) for name, judgement in judged.items()}
    pending = {pupil for name in lists if name in judged for pupil in judged[name].pending}
    findings += [finding for judgement in judged.values() for finding in judgement.findings]
    findings += check_across_tables(frames, tables, lists=lists, pending=pending, wave_dates=wave_dates)
    findings += find_refusals(frames, tables=tables, consent=consent)
    if needs_consent:
        findings += find_unanswered_consent(frames, tables=tables, consent=consent)
    findings += find_empty_columns(frames, tables=tables, layouts=_index_layouts_by_sheet(parts), needed=claims.needed)
    findings += check_pupil_histories(frames, tables, waves=waves)
    links = None
    if follow and lists[0] in frames:
        followed = link_pupils(frames, listed=lists[0], waves=waves, confirmed=answers.confirmed("pupil_id"))
        frames, links = (
            {name: _sort_rows_by_key(f, tables[name], waves) for name, f in followed.frames.items()},
            followed.links,
        )
        findings += followed.findings
    # From here on, places are those that people see: a row of a sheet may be many records.
    seen = SeenPlaces(_index_layouts_by_sheet(parts).values())
    findings = seen.findings(findings)
    frames = {name: seen.rows(frame, "source_row") for name, frame in frames.items()}
    links = None if links is None else seen.rows(links, "row", "first_row")
    places = {
        *claims.digests,
        *(noted_finding.file for noted_finding in findings),
        *(claim_tally.file for claim_tally in claims.tallies),
    }
    stand_ins = StandIns(files, places, claims.digests, claims.sheets, gate, digest)
    findings += stand_ins.findings()
    rows, kept_places, of_file = _collect_finding_rows(judged, frames, findings)
    open_findings = Findings(
        noted_finding for noted_finding in findings if not answers.closes(noted_finding, kept=kept_places)
    )
    queries = build_queries(open_findings, files=_index_tables_by_sheet(parts), digests=claims.digests, tables=tables)
    outcome = Intake(
        frames=frames,
        findings=open_findings,
        repairs=seen.repairs(_collect_repairs(judged, recoded, forms=claims.forms)),
        reconciliation=build_reconciliation(
            [*claims.tallies, *(tally for judgement in judged.values() for tally in judgement.tallies)]
        ),
        answers=answers.to_frame(),
        queries=assign_queries_to_schools(queries, rows=rows, files=of_file, schools=schools),
        links=links,
        digests=dict(sorted(claims.digests.items())),
    )
    return suppress_personal_data(outcome, gate=gate, stand_ins=stand_ins, tables=tables)


def _extract_returned_answers(
    files: Mapping[str, Path | bytes], claims: Claims, decisions: Decisions
) -> tuple[list[Answer], dict[str, Path | bytes]]:
    """Take the workbooks of queries that came back out of the files."""
    answers: list[Answer] = []
    others: dict[str, Path | bytes] = {}
    for file in sorted(files):
        content = content_of(files[file], file=file) if file.casefold().endswith((".xlsx", ".ods")) else b""
        if not isinstance(content, bytes) or not is_query_workbook(content):
            others[file] = files[file]
            continue
        claims.digests[file] = claims.digest(content)
        if decisions.is_withdrawn(file):
            claims.findings.append(
                about(file, "It was withdrawn; its answers are not used.", "Nothing.", severity="note")
            )
            continue
        read, findings, n_open = read_answers(content, file=file)
        answers += [replace(answer, source_sha256=claims.digests[file]) for answer in read]
        problem = f"It answers questions: {len(read)} of {len(read) + n_open}."
        claims.findings += [*findings, about(file, problem, "Nothing.", severity="note")]
    return answers, others


def _collect_finding_rows(
    judged: Mapping[str, Judged], frames: Mapping[str, pd.DataFrame], findings: Sequence[Finding]
) -> tuple[dict[tuple[str, str, int], str], set[tuple[str, str, int]], dict[str, set[str]]]:
    """Return the school of each row that a finding is about, which of them are kept, and the schools of each file."""
    rows: dict[tuple[str, str, int], str] = {}
    files: dict[str, set[str]] = {}
    for judgement in judged.values():
        rows.update(
            {(file, sheet, compute_sheet_row(row)): school for (file, sheet, row), school in judgement.asked.items()}
        )
    for (file, _, _), school in rows.items():
        files.setdefault(file, set()).add(school)
    asked_about = {finding.file for finding in findings if finding.severity != "note"}
    numbers = {finding.row for finding in findings if finding.row is not None}
    kept_places: set[tuple[str, str, int]] = set()
    for frame in frames.values():
        rows_in_question = frame.loc[frame["source_file"].isin(asked_about)]
        for file, school in rows_in_question[["source_file", "school_id"]].drop_duplicates().itertuples(index=False):
            files.setdefault(file, set()).add(school)
        rows_in_question = rows_in_question.loc[rows_in_question["source_row"].isin(numbers)]
        places = list(
            zip(
                rows_in_question["source_file"],
                rows_in_question["source_sheet"],
                rows_in_question["source_row"].tolist(),
                strict=True,
            )
        )
        kept_places.update(places)
        rows.update(zip(places, rows_in_question["school_id"], strict=True))
    return rows, kept_places, files


def _index_layouts_by_sheet(parts: Mapping[str, list[Part]]) -> dict[tuple[str, str, str], Layout]:
    """File, sheet and wave to where its table lies."""
    every = (part for table_parts in parts.values() for part in table_parts)
    return {(part.layout.sheet.file, part.layout.sheet.sheet, part.wave): part.layout for part in every}


def _index_tables_by_sheet(parts: Mapping[str, list[Part]]) -> dict[str, str]:
    """File and sheet to the table that it holds."""
    return {
        f"{part.layout.sheet.file}|{part.layout.sheet.sheet}": name for name, all_ in parts.items() for part in all_
    }


def _read(
    files: Mapping[str, Path | bytes], claims: Claims, answers: Answers, decisions: Decisions, announce: Progress
) -> tuple[dict[str, list[Part]], list[Repair]]:
    """Read all files and find the tables in them; also return the cells of earlier versions that were recoded."""
    parts: dict[str, list[Part]] = {name: [] for name in claims.tables}
    recoded: list[Repair] = []
    with claims.reading_ahead(files):
        for done, file in enumerate(sorted(files)):
            announce("Reading files", done, len(files))
            for claim in claims.of(file, files[file]):
                _take(claim, parts, recoded, files, claims, answers, decisions)
    announce("Reading files", len(files), len(files))
    claims.findings = [
        finding for finding in claims.findings if finding.severity == "note" or not decisions.is_silenced(finding)
    ]
    return parts, recoded


def _take(
    claim: Claim,
    parts: Mapping[str, list[Part]],
    recoded: list[Repair],
    files: Collection[str],
    claims: Claims,
    answers: Answers,
    decisions: Decisions,
) -> None:
    """Find the tables of a sheet, and add them to the others."""
    stated_school = answers.said_of_school(claim.sheet, sha256=claim.sha256, number=claims.number_of(claim.sheet))
    layout, wide = claims.laid_out(claim)
    layout, understood = claims.understood(claim, layout, wide)
    for arranged_claim, part in claims.arranged(claim, layout, wide, said=stated_school):
        laid_part = _build_part(arranged_claim, part, files, claims, answers, decisions, recoded)
        if laid_part is not None:
            parts[arranged_claim.rule.table].append(laid_part)
            # Cells of all waves of a sheet are changed at once.
            recoded += understood
            understood = []


def _build_part(
    claim: Claim,
    layout: Layout,
    files: Collection[str],
    claims: Claims,
    answers: Answers,
    decisions: Decisions,
    recoded: list[Repair],
) -> Part | None:
    """Return a sheet with answers and units in their cells; None where it is kept out or cannot be used (yet)."""
    table, wave, sheet = claims.tables[claim.rule.table], claim.rule.wave, claim.sheet
    out = decisions.kept_out(file=sheet.file, sheet=sheet.sheet, wave=wave, sha256=claim.sha256, files=files)
    if out is not None:
        claims.findings.append(out)
    if out is not None or claims.is_second_copy(claim):
        claims.tallies.append(claim.unused(len(layout.rows)))
        return None
    earlier = table.version_of(wave)
    changed: list[Repair] = []
    if earlier is not None and layout.is_usable:
        layout, changed = convert_earlier_answers(layout, earlier)
    layout, others = convert_units(layout, table, claim.rule.units)
    recoded += [*changed, *others]
    claims.findings += layout.findings
    if not layout.is_usable or layout.is_open:
        claims.tallies.append(claim.unused(len(layout.rows), is_asked=layout.is_usable))
        return None
    late = partial(decisions.is_late, wave)
    number = claims.number_of(sheet)
    layout = answers.applied(layout, table, sha256=claim.sha256, is_late=late, number=number)
    school = claim.form.school if claim.form else layout.school
    return Part(layout=layout, wave=wave, country=claim.country, school=school, sha256=claim.sha256)


def _build_drafts(parts: Mapping[str, list[Part]], tables: Mapping[str, Table], announce: Progress) -> dict[str, Draft]:
    drafts = {}
    for done, (name, sheets) in enumerate(parts.items()):
        announce("Checking tables", done, len(parts))
        drafts[name] = build_draft(tables[name], sheets)
    return drafts


def _build_gate(
    drafts: Mapping[str, Draft],
    tables: Mapping[str, Table],
    *,
    schools: Mapping[str, str],
    ordinary: Collection[str],
    phrases: Collection[str],
    wave_dates: Mapping[str, tuple[date, date]] | None,
    confirmed: frozenset[Place],
) -> Gate:
    """Make the gate from what was sent: of the listed persons, also of those in a column with another's header."""
    names = [text for table_draft in drafts.values() for text in table_draft.private_texts("direct")]
    make = partial(
        build_gate,
        identifiers=[text for table_draft in drafts.values() for text in table_draft.private_texts("identifier")],
        tables=tables,
        schools=schools,
        ordinary=ordinary,
        phrases=phrases,
        born_until=compute_latest_birth(wave_dates or {}, _collect_years_sent(drafts)),
    )
    gate = make(names=names)
    elsewhere = collect_undeclared_names(drafts, gate, confirmed=confirmed)
    return make(names=[*names, *elsewhere]) if elsewhere else gate


def _collect_years_sent(drafts: Mapping[str, Draft]) -> list[int]:
    columns = [
        draft_column
        for table_draft in drafts.values()
        for draft_column in table_draft.columns.values()
        if draft_column.field.type == "year"
    ]
    return [int(year) for year_column in columns for year in year_column.meanings if isinstance(year, int)]


def _sort_rows_by_key(frame: pd.DataFrame, table: Table, waves: Sequence[str]) -> pd.DataFrame:
    """Sort rows by key and wave, so that names of files are of no effect."""
    rank = frame["wave"].map({wave: k for k, wave in enumerate(waves)}).fillna(-1)
    if _is_ordered(frame, table, rank):
        return frame.reset_index(drop=True)
    by = [*table.key, "_rank"]
    return frame.assign(_rank=rank).sort_values(by, kind="stable", ignore_index=True).drop(columns="_rank")


def _is_ordered(frame: pd.DataFrame, table: Table, rank: pd.Series) -> bool:
    """Whether rows are sorted as they are; large files of one school after the other often are."""
    if len(frame) < 2 or rank.min() != rank.max() or any(frame[name].dtype.kind not in "OTSU" for name in table.key):
        return len(frame) < 2
    columns = [frame[name].tolist() for name in table.key]
    before = zip(*columns, strict=True)
    after = zip(*columns, strict=True)
    next(after)
    return all(map(operator.le, before, after))


def _collect_repairs(
    judged: Mapping[str, Judged], recoded: Sequence[Repair], *, forms: Collection[str]
) -> pd.DataFrame:
    """Return all repairs; an answer that was chosen from the list of a form is none."""
    import pandas as pd

    pieces = [judgement.repairs for judgement in judged.values() if len(judgement.repairs)]
    pieces += [pd.DataFrame(list(recoded), columns=list(REPAIR_COLUMNS))] if recoded else []
    repairs = pd.concat(pieces) if pieces else pd.DataFrame(columns=list(REPAIR_COLUMNS))
    repairs = repairs.loc[~(repairs["file"].isin(list(forms)) & (repairs["rule"] == "synonym"))]
    types = {name: "int64" if name == "row" else "str" for name in REPAIR_COLUMNS}
    return repairs.astype(types).sort_values(["file", "sheet", "row", "column"], kind="stable", ignore_index=True)
