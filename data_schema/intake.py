"""Files that schools sent -> checked tables, with every repair, every question and counts that add up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.checks import cross_checks
from data_schema.findings import Finding, Findings, Severity
from data_schema.judging import REPAIR_COLUMNS, Judged, Part, draft, judge
from data_schema.layout import Layout, headers_of, is_empty, lay_out
from data_schema.privacy import Withheld
from data_schema.readers import Reading, Sheet, content_of, read_file
from data_schema.reconciliation import Tally, reconciled
from data_schema.rules import InboxRule, check_rules
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InboxRule", "Intake", "read_inbox"]

Progress = Callable[[str, int, int], None]

_LEFTOVERS = (".", "~$", "thumbs.db", "desktop.ini")
"""Beginnings of the names of files that programs leave behind by themselves."""


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
        Everything that somebody should know. No names and no identifiers of pupils.
    repairs
        One row a repaired cell: `file`, `sheet`, `row`, `column`, `was`, `became`, `rule`. The two values are empty
        for private fields.
    reconciliation
        One row a file, sheet and table: `file`, `sheet`, `table`, `wave`, `country`, `sent`, `kept`, `asked`,
        `refused`; sent = kept + asked + refused.
    """

    frames: Mapping[str, pd.DataFrame]
    findings: Findings
    repairs: pd.DataFrame
    reconciliation: pd.DataFrame


def read_inbox(
    files: Mapping[str, Path | bytes],
    *,
    rules: Sequence[InboxRule],
    tables: Mapping[str, Table],
    schools: Mapping[str, str],
    waves: Sequence[str],
    wave_dates: Mapping[str, tuple[date, date]] | None = None,
    progress: Progress | None = None,
) -> Intake:
    """Take in the files of an inbox.

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
    waves
        Names of the waves, in their order.
    wave_dates
        Wave to its first and last day, where known, to check the dates of statuses by.
    progress
        Is told what is being done, how much of it is done and how much there is.

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
    tell = progress or (lambda _what, _done, _total: None)
    findings: list[Finding] = []
    tallies: list[Tally] = []
    # The school table is not collected: it is the frame.
    parts: dict[str, list[Part]] = {name: [] for name, table in tables.items() if "country" not in table.names}
    headers = {name: headers_of(tables[name]) for name in parts}
    for done, file in enumerate(sorted(files)):
        tell("Reading files", done, len(files))
        for claim in _claims(file, files[file], rules=rules, schools=schools, findings=findings, tallies=tallies):
            layout = lay_out(claim.sheet, tables[claim.rule.table], headers=headers[claim.rule.table])
            findings += layout.findings
            if layout.is_usable:
                part = Part(layout=layout, wave=claim.rule.wave, country=claim.country)
                parts[claim.rule.table].append(part)
            else:
                tallies.append(_all_refused(claim, layout))
    tell("Reading files", len(files), len(files))
    judged, withheld = _judged(parts, tables, schools, tell)
    findings = [_scrubbed(finding, withheld) for finding in findings]
    frames = {name: _ordered(one.frame, tables[name], waves) for name, one in judged.items()}
    pending = judged["pupil"].pending if "pupil" in judged else frozenset()
    findings += [finding for one in judged.values() for finding in one.findings]
    findings += cross_checks(frames, tables, pending=pending, wave_dates=wave_dates)
    return Intake(
        frames=frames,
        findings=Findings(findings),
        repairs=_repairs(judged),
        reconciliation=reconciled([*tallies, *(tally for one in judged.values() for tally in one.tallies)]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """A sheet that a rule says is a table."""

    sheet: Sheet
    rule: InboxRule
    country: str


def _claims(
    file: str,
    source: Path | bytes,
    *,
    rules: Sequence[InboxRule],
    schools: Mapping[str, str],
    findings: list[Finding],
    tallies: list[Tally],
) -> Iterator[_Claim]:
    """Yield the sheets of a file that rules speak of."""
    matching = [rule for rule in rules if rule.matches(file)]
    if not matching:
        findings.append(_unmatched(file))
        return
    country = _country_in(file, schools.values())
    content = content_of(source, file=file)
    if isinstance(content, bytes):
        reading = read_file(content, file=file, countries=_countries_of(content, country, schools))
    else:
        reading = content
    findings += reading.findings
    if not reading.sheets:
        tallies += [
            Tally(file=file, sheet=rule.sheet, table=rule.table, wave=rule.wave, country=country) for rule in matching
        ]
        return
    claimed, troubles = _claimed(matching, reading)
    findings += troubles
    for sheet in reading.sheets:
        rule = claimed.get(sheet.sheet)
        if rule is not None:
            yield _Claim(sheet=sheet, rule=rule, country=country)


def _claimed(rules: Sequence[InboxRule], reading: Reading) -> tuple[dict[str, InboxRule], list[Finding]]:
    """Deal the sheets of a file to the rules; a sheet that two rules claim goes to none."""
    claims: dict[str, list[InboxRule]] = {}
    findings = []
    for rule in rules:
        sheet = _sheet_of(rule, reading.sheets)
        if sheet is not None:
            claims.setdefault(sheet.sheet, []).append(rule)
            continue
        problem = f"The workbook has no sheet {rule.sheet!r}, which would hold the table {rule.table!r}."
        remedy = "Send the sheet, if the school has the data."
        findings.append(_about(reading.sheets[0].file, problem, remedy, severity="note"))
    dealt = {}
    for sheet in reading.sheets:
        meanings = {(rule.table, rule.wave): rule for rule in claims.get(sheet.sheet, [])}
        if len(meanings) == 1:
            (dealt[sheet.sheet],) = meanings.values()
        elif meanings:
            tables = " and ".join(f"{table!r} ({wave or 'no wave'})" for table, wave in meanings)
            problem = f"Rules say that it is {tables}; it is not read."
            findings.append(_about(sheet.file, problem, "Make the patterns of the rules differ.", sheet=sheet.sheet))
        elif any(not is_empty(row) for row in sheet.rows):
            problem = "No rule asks for this sheet; it is left out."
            remedy = "Nothing, if it is not needed."
            findings.append(_about(sheet.file, problem, remedy, sheet=sheet.sheet, severity="note"))
    return dealt, findings


def _sheet_of(rule: InboxRule, sheets: Sequence[Sheet]) -> Sheet | None:
    wanted = rule.sheet.strip().casefold()
    if not wanted or sheets[0].separator:
        return sheets[0]
    return next((sheet for sheet in sheets if sheet.sheet.strip().casefold() == wanted), None)


def _unmatched(file: str) -> Finding:
    name = file.rpartition("/")[2].casefold()
    if name.startswith(_LEFTOVERS):
        return _about(file, "A program left it behind; it is not read.", "Nothing.", severity="note")
    problem = "It is in the inbox, but no rule says what it is; it is not read."
    return _about(file, problem, "Correct its name or its folder, or add a rule to the protocol.", severity="question")


def _about(file: str, problem: str, remedy: str, *, sheet: str = "", severity: Severity = "refused") -> Finding:
    return Finding(file=file, sheet=sheet, problem=problem, remedy=remedy, severity=severity)


def _country_in(file: str, countries: Collection[str]) -> str:
    """Return the country that a folder of the path is named for."""
    known = {country.casefold(): country for country in countries}
    return next((known[part.casefold()] for part in file.split("/")[:-1] if part.casefold() in known), "")


def _countries_of(content: bytes, country: str, schools: Mapping[str, str]) -> list[str]:
    """Return countries whose letters the file may hold, told by its path or by the schools that it names."""
    if country:
        return [country]
    named = {of for school, of in schools.items() if school.encode() in content}
    return sorted(named or set(schools.values()))


def _all_refused(claim: _Claim, layout: Layout) -> Tally:
    """Account for the rows of a sheet that cannot be used."""
    return Tally(
        file=claim.sheet.file,
        sheet=claim.sheet.sheet,
        table=claim.rule.table,
        wave=claim.rule.wave,
        country=claim.country,
        sent=len(layout.rows),
        refused=len(layout.rows),
    )


def _judged(
    parts: Mapping[str, list[Part]], tables: Mapping[str, Table], schools: Mapping[str, str], tell: Progress
) -> tuple[dict[str, Judged], Withheld]:
    drafts = {}
    for done, (name, sheets) in enumerate(parts.items()):
        tell("Checking tables", done, len(parts))
        drafts[name] = draft(tables[name], sheets)
    withheld = Withheld(
        names=(text for made in drafts.values() for text in made.private_texts("direct")),
        identifiers=(text for made in drafts.values() for text in made.private_texts("identifier")),
    )
    judged = {name: judge(made, schools=schools, withheld=withheld) for name, made in drafts.items()}
    tell("Checking tables", len(parts), len(parts))
    return judged, withheld


def _scrubbed(finding: Finding, withheld: Withheld) -> Finding:
    """Take a header away that holds a name; sheets with a column a pupil have such."""
    return replace(finding, column="") if withheld.covers(finding.column) else finding


def _ordered(frame: pd.DataFrame, table: Table, waves: Sequence[str]) -> pd.DataFrame:
    """Sort rows by key and wave, so that names of files are of no effect."""
    rank = frame["wave"].map({wave: k for k, wave in enumerate(waves)}).fillna(-1)
    by = [*table.key, "_rank"]
    return frame.assign(_rank=rank).sort_values(by, kind="stable", ignore_index=True).drop(columns="_rank")


def _repairs(judged: Mapping[str, Judged]) -> pd.DataFrame:
    import pandas as pd

    rows = sorted(repair for one in judged.values() for repair in one.repairs)
    types = {name: "int64" if name == "row" else "str" for name in REPAIR_COLUMNS}
    return pd.DataFrame(rows, columns=list(REPAIR_COLUMNS)).astype(types)
