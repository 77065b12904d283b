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
from data_schema.checks import cross_checks
from data_schema.claims import Claim, Claims, about
from data_schema.columns import Draft, Part, draft
from data_schema.consent import refusal_findings, unanswered_findings
from data_schema.conversions import Repair, brought_up, converted
from data_schema.decisions import NO_DECISIONS, Decisions
from data_schema.files import sha256_of_content
from data_schema.findings import Finding, Findings, row_in_sheet
from data_schema.judging import REPAIR_COLUMNS, Judged, judge
from data_schema.linking import linked
from data_schema.personal.gate import Gate, gate_of
from data_schema.personal.leaving import let_out
from data_schema.personal.opening import names_in_columns
from data_schema.personal.shapes import latest_birth
from data_schema.personal.stand_ins import StandIns
from data_schema.placing import Setting
from data_schema.queries import Answer, Query, by_school, is_query_workbook, queries_of, read_answers
from data_schema.readers import content_of
from data_schema.reconciliation import reconciled
from data_schema.record_rules import histories
from data_schema.returns import empty_columns
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
    digest: Callable[[bytes], str] = sha256_of_content,
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
    with _no_collection():
        return _taken_in(
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
def _no_collection() -> Iterator[None]:
    """Keep Python from looking for garbage among millions of cells, none of which is."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _taken_in(
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
    tell = progress or (lambda _what, _done, _total: None)
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
    returned, others = _returned(claims.without_dictionaries(files), claims, decisions)
    answers = Answers(returned)
    parts, recoded = _read(others, claims, answers, decisions, tell)
    setting = Setting(schools=schools, waves=waves, lists=lists, confirmed=answers.confirmed_places())
    drafts = _drafted(parts, tables, tell)
    words = (*waves, *(rule.pattern for rule in rules), *(rule.sheet for rule in rules))
    gate = _gate(
        drafts,
        tables,
        schools=schools,
        ordinary=words,
        phrases=school_names,
        wave_dates=wave_dates,
        confirmed=setting.confirmed,
    )
    judged = {name: judge(made, setting=setting, gate=gate) for name, made in drafts.items()}
    tell("Checking tables", len(parts), len(parts))
    findings = [*claims.findings, *claims.unmet(), *answers.unused()]
    frames = {name: _ordered(one.frame, tables[name], waves) for name, one in judged.items()}
    pending = {pupil for name in lists if name in judged for pupil in judged[name].pending}
    findings += [finding for one in judged.values() for finding in one.findings]
    findings += cross_checks(frames, tables, lists=lists, pending=pending, wave_dates=wave_dates)
    findings += refusal_findings(frames, tables=tables, consent=consent)
    if needs_consent:
        findings += unanswered_findings(frames, tables=tables, consent=consent)
    findings += empty_columns(frames, tables=tables, layouts=_layouts_of(parts), needed=claims.needed)
    findings += histories(frames, tables, waves=waves)
    links = None
    if follow and lists[0] in frames:
        followed = linked(frames, listed=lists[0], waves=waves, confirmed=answers.confirmed("pupil_id"))
        frames, links = {name: _ordered(f, tables[name], waves) for name, f in followed.frames.items()}, followed.links
        findings += followed.findings
    # From here on, places are those that people see: a row of a sheet may be many records.
    seen = SeenPlaces(_layouts_of(parts).values())
    findings = seen.findings(findings)
    frames = {name: seen.rows(frame, "source_row") for name, frame in frames.items()}
    links = None if links is None else seen.rows(links, "row", "first_row")
    places = {*claims.digests, *(one.file for one in findings), *(one.file for one in claims.tallies)}
    stand_ins = StandIns(files, places, claims.digests, claims.sheets, gate, digest)
    findings += stand_ins.findings()
    rows, kept, of_file = _rows_of(judged, frames, findings)
    found = Findings(one for one in findings if not answers.closes(one, kept=kept))
    queries = queries_of(found, files=_tables_of(parts), digests=claims.digests, tables=tables)
    made = Intake(
        frames=frames,
        findings=found,
        repairs=seen.repairs(_repairs(judged, recoded, forms=claims.forms)),
        reconciliation=reconciled([*claims.tallies, *(tally for one in judged.values() for tally in one.tallies)]),
        answers=answers.to_frame(),
        queries=by_school(queries, rows=rows, files=of_file, schools=schools),
        links=links,
        digests=dict(sorted(claims.digests.items())),
    )
    return let_out(made, gate=gate, stand_ins=stand_ins, tables=tables)


def _returned(
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
        answers += [replace(one, source_sha256=claims.digests[file]) for one in read]
        problem = f"It answers questions: {len(read)} of {len(read) + n_open}."
        claims.findings += [*findings, about(file, problem, "Nothing.", severity="note")]
    return answers, others


def _rows_of(
    judged: Mapping[str, Judged], frames: Mapping[str, pd.DataFrame], findings: Sequence[Finding]
) -> tuple[dict[tuple[str, str, int], str], set[tuple[str, str, int]], dict[str, set[str]]]:
    """Return the school of each row that a finding is about, which of them are kept, and the schools of each file."""
    rows: dict[tuple[str, str, int], str] = {}
    files: dict[str, set[str]] = {}
    for one in judged.values():
        rows.update({(file, sheet, row_in_sheet(row)): school for (file, sheet, row), school in one.asked.items()})
    for (file, _, _), school in rows.items():
        files.setdefault(file, set()).add(school)
    asked_about = {found.file for found in findings if found.severity != "note"}
    numbers = {found.row for found in findings if found.row is not None}
    kept: set[tuple[str, str, int]] = set()
    for frame in frames.values():
        mine = frame.loc[frame["source_file"].isin(asked_about)]
        for file, school in mine[["source_file", "school_id"]].drop_duplicates().itertuples(index=False):
            files.setdefault(file, set()).add(school)
        mine = mine.loc[mine["source_row"].isin(numbers)]
        places = list(zip(mine["source_file"], mine["source_sheet"], mine["source_row"].tolist(), strict=True))
        kept.update(places)
        rows.update(zip(places, mine["school_id"], strict=True))
    return rows, kept, files


def _layouts_of(parts: Mapping[str, list[Part]]) -> dict[tuple[str, str, str], Layout]:
    """File, sheet and wave to where its table lies."""
    every = (part for mine in parts.values() for part in mine)
    return {(part.layout.sheet.file, part.layout.sheet.sheet, part.wave): part.layout for part in every}


def _tables_of(parts: Mapping[str, list[Part]]) -> dict[str, str]:
    """File and sheet to the table that it holds."""
    return {
        f"{part.layout.sheet.file}|{part.layout.sheet.sheet}": name for name, all_ in parts.items() for part in all_
    }


def _read(
    files: Mapping[str, Path | bytes], claims: Claims, answers: Answers, decisions: Decisions, tell: Progress
) -> tuple[dict[str, list[Part]], list[Repair]]:
    """Read all files and find the tables in them; also return the cells of earlier versions that were recoded."""
    parts: dict[str, list[Part]] = {name: [] for name in claims.tables}
    recoded: list[Repair] = []
    with claims.reading_ahead(files):
        for done, file in enumerate(sorted(files)):
            tell("Reading files", done, len(files))
            for claim in claims.of(file, files[file]):
                _take(claim, parts, recoded, files, claims, answers, decisions)
    tell("Reading files", len(files), len(files))
    claims.findings = [one for one in claims.findings if one.severity == "note" or not decisions.is_silenced(one)]
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
    said = answers.said_of_school(claim.sheet, sha256=claim.sha256, number=claims.number_of(claim.sheet))
    layout, wide = claims.laid_out(claim)
    layout, understood = claims.understood(claim, layout, wide)
    for one, part in claims.arranged(claim, layout, wide, said=said):
        made = _part_of(one, part, files, claims, answers, decisions, recoded)
        if made is not None:
            parts[one.rule.table].append(made)
            # Cells of all waves of a sheet are changed at once.
            recoded += understood
            understood = []


def _part_of(
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
        layout, changed = brought_up(layout, earlier)
    layout, others = converted(layout, table, claim.rule.units)
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


def _drafted(parts: Mapping[str, list[Part]], tables: Mapping[str, Table], tell: Progress) -> dict[str, Draft]:
    drafts = {}
    for done, (name, sheets) in enumerate(parts.items()):
        tell("Checking tables", done, len(parts))
        drafts[name] = draft(tables[name], sheets)
    return drafts


def _gate(
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
    names = [text for made in drafts.values() for text in made.private_texts("direct")]
    make = partial(
        gate_of,
        identifiers=[text for made in drafts.values() for text in made.private_texts("identifier")],
        tables=tables,
        schools=schools,
        ordinary=ordinary,
        phrases=phrases,
        born_until=latest_birth(wave_dates or {}, _years_sent(drafts)),
    )
    gate = make(names=names)
    elsewhere = names_in_columns(drafts, gate, confirmed=confirmed)
    return make(names=[*names, *elsewhere]) if elsewhere else gate


def _years_sent(drafts: Mapping[str, Draft]) -> list[int]:
    columns = [one for made in drafts.values() for one in made.columns.values() if one.field.type == "year"]
    return [int(year) for one in columns for year in one.meanings if isinstance(year, int)]


def _ordered(frame: pd.DataFrame, table: Table, waves: Sequence[str]) -> pd.DataFrame:
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


def _repairs(judged: Mapping[str, Judged], recoded: Sequence[Repair], *, forms: Collection[str]) -> pd.DataFrame:
    """Return all repairs; an answer that was chosen from the list of a form is none."""
    import pandas as pd

    pieces = [one.repairs for one in judged.values() if len(one.repairs)]
    pieces += [pd.DataFrame(list(recoded), columns=list(REPAIR_COLUMNS))] if recoded else []
    made = pd.concat(pieces) if pieces else pd.DataFrame(columns=list(REPAIR_COLUMNS))
    made = made.loc[~(made["file"].isin(list(forms)) & (made["rule"] == "synonym"))]
    types = {name: "int64" if name == "row" else "str" for name in REPAIR_COLUMNS}
    return made.astype(types).sort_values(["file", "sheet", "row", "column"], kind="stable", ignore_index=True)
