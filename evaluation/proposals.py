"""Rules of the inbox that files of any layout would need, drafted from the files for a person to confirm.

Nothing is written, and nothing is taken for sure in silence: each draft says what it was taken from, shows what intake
makes of the first rows by it, and names what only a person can say. What is shown has passed intake and its gate.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.clean import format_value
from data_schema.errors import DataError
from data_schema.fields import NUMERIC_TYPES, normalise_header
from data_schema.files import clean_file_name
from data_schema.findings import Finding, Findings
from data_schema.form_marks import mark_in
from data_schema.headers import index_fields_by_header
from data_schema.layout import Layout, find_layout, is_empty
from data_schema.named_schools import SchoolFinder
from data_schema.queries import is_query_workbook
from data_schema.readers import content_of, is_folder, members, read_file
from data_schema.readers.limits import LARGEST_UNPACKED
from data_schema.readers.sheets import Sheet
from data_schema.rules import SCHOOL_SOURCES, InboxRule, Wide, find_rules_for_file, generate_common_pattern
from data_schema.sources import find_classes, find_heading, find_texts_of_source, is_same_class
from data_schema.wide import WAVE, WideHeader, find_wide
from evaluation.frame import read_usable_schools, select_eligible_schools
from evaluation.frame_persons import build_trial_gate, iterate_frame_texts, map_school_names
from evaluation.proposed_rules import Proposal, Proposals
from evaluation.specifications import build_inbox_rules, compute_wave_windows

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.tables import Table
    from evaluation.folder import TrialFolder

N_SHOWN = 5
"""Rows of each draft that are shown."""

_LEAST_UNIQUE = 3
_PACKED = (".zip", ".xlsx", ".xls", ".ods")
"""Ends of the names of files that may be zipped folders: mail programs name them so."""


def create_proposals(trial: TrialFolder, path: Path) -> Proposals:
    """Draft the rules that a file, or the files of a folder, would need.

    Parameters
    ----------
    trial
        The trial, whose protocol and frame say which tables, waves and schools there are. The frame may be incomplete,
        or not there yet: what that leaves open is said.
    path
        A file or a folder, in the inbox or anywhere else. What lies elsewhere is named as if it lay in the inbox.

    Raises
    ------
    DataError
        When there is nothing at the path.
    """
    files, others = _open_zipped_folders(_find_files_at(trial, path))
    frame, note = _read_known_schools(trial)
    draft = _Drafter(trial, frame)
    drafted: list[_Draft] = []
    others = {draft.called(file): why for file, why in others.items()}
    for file, source in files.items():
        file_draft = draft.of(file, source)
        if isinstance(file_draft, str):
            others[draft.called(file)] = file_draft
        else:
            drafted += file_draft
    drafts = [
        _describe_trial_intake(trial, draft, grouped_draft, files)
        for grouped_draft in _merge_alike_drafts(drafted, [*files, *others])
    ]
    return Proposals(drafts=tuple(drafts), others=others, note=note)


def _read_known_schools(trial: TrialFolder) -> tuple[pd.DataFrame, str]:
    """Return the schools that can be known by now, and what that leaves open."""
    try:
        return select_eligible_schools(trial.schools()[0]), ""
    except DataError:
        path = trial.paths.root / trial.protocol.schools.file
        frame, refusal = read_usable_schools(path, trial.protocol)
    refusal_note = "" if refusal is None else f" ({refusal.place}: {refusal.problem} {refusal.remedy})"
    schools = "no school is known" if frame.empty else f"{len(frame)} schools of it are known"
    note = (
        f"The sampling frame is not there yet or not complete{refusal_note}. Rules are drafted all the same; "
        f"{schools}, and "
        "files may be of others. Propose again when it is complete."
    )
    return select_eligible_schools(frame), note


def _open_zipped_folders(files: Mapping[str, Path]) -> tuple[dict[str, Path | bytes], dict[str, str]]:
    """Return files with those of zipped folders as if they lay where the folder lies, and what cannot be looked at."""
    opened: dict[str, Path | bytes] = {}
    left: dict[str, str] = {}
    for file, path in files.items():
        content = content_of(path, file=file) if file.casefold().endswith(_PACKED) else None
        if not isinstance(content, bytes) or not is_folder(content):
            opened[file] = path
            continue
        n_bytes = 0
        for member in members(content, file=file):
            called = f"{file}/{member.name}".rstrip("/")
            place = posixpath.join(posixpath.dirname(file), member.name)
            n_bytes += 0 if isinstance(member.content, Finding) else len(member.content)
            if isinstance(member.content, Finding):
                left[called] = f"{member.content.problem} {member.content.remedy}"
            elif n_bytes > LARGEST_UNPACKED:
                left[file] = (
                    "It holds too much to be looked at as a whole. Unpack it, and propose rules for the files in it."
                )
                break
            elif is_folder(member.content):
                left[called] = (
                    "It is a zipped folder within a zipped folder. Unpack it, and propose rules for its files."
                )
            elif place in files or place in opened:
                left[called] = f"Another file would lie at {place} as well. Call one of the two otherwise."
            else:
                opened[place] = member.content
    return opened, left


def _find_files_at(trial: TrialFolder, path: Path) -> dict[str, Path]:
    """Return files by their path below the inbox, or by what it would be."""
    full, inbox = path.absolute(), trial.paths.inbox.absolute()
    if not full.exists():
        raise DataError(str(path), "there is no such file or folder.", "Name a file or a folder that is there.")
    is_inside = full.is_relative_to(inbox)
    base = inbox if is_inside else full if full.is_dir() else full.parent
    file_paths = [full] if full.is_file() else sorted(candidate for candidate in full.rglob("*") if candidate.is_file())
    named = {
        clean_file_name(file_path.relative_to(base).as_posix()): file_path
        for file_path in file_paths
        if not file_path.name.startswith(".")
    }
    if not named:
        raise DataError(str(path), "there is no file in it.", "Name a file or a folder with files.")
    return named


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A rule for a file, before those of files alike are put together, and the schools that its column names."""

    rule: InboxRule
    file: str
    undecided: tuple[str, ...]
    schools: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """How a table would lie in a sheet."""

    table: Table
    layout: Layout
    wide: Wide | None
    header: WideHeader | None
    headers: Mapping[str, str]

    @property
    def score(self) -> int:
        """How many columns say something of the table, beside whose row it is."""
        named = set(self.layout.columns) - {"school_id", "pupil_id"}
        return len(named) + (0 if self.header is None else len(self.header.passed_over))


class _Drafter:
    """Drafts rules for single files; knows the trial."""

    def __init__(self, trial: TrialFolder, frame: pd.DataFrame) -> None:
        self.protocol, self.frame = trial.protocol, frame
        self.tables = {name: one for name, one in trial.tables.items() if "country" not in one.names}
        self.schools = dict(zip(frame["school_id"], frame["country"], strict=True))
        self.names = map_school_names(frame)
        self.finder = SchoolFinder(self.schools, self.names)
        self.countries = sorted(set(self.schools.values())) or list(trial.protocol.countries)
        self.windows = compute_wave_windows(trial.protocol)
        self.rules = build_inbox_rules(trial.protocol)
        self.gate = build_trial_gate(trial.protocol, frame, tables=trial.tables)

    def called(self, file: str) -> str:
        """Return the path of a file, without a name that may be a person's."""
        folder, name = posixpath.split(file)
        is_of_person = self.gate.kind_of_label(posixpath.splitext(name)[0]) is not None
        return posixpath.join(folder, "(its name may be a person's)") if is_of_person else file

    def of(self, file: str, source: Path | bytes) -> list[_Draft] | str:
        """Return the rules that a file would need, one for each table in it; or why there is none."""
        content = content_of(source, file=file)
        if not isinstance(content, bytes):
            return _describe_findings(content.findings)
        if is_query_workbook(content):
            return "It is a workbook of questions that came back; it needs no rule."
        reading = read_file(content, file=file, countries=self.countries)
        if mark_in(reading) is not None:
            return "It is an entry workbook; it needs no rule."
        sheets = [read_sheet for read_sheet in reading.sheets if any(not is_empty(row) for row in read_sheet.rows)]
        if not sheets:
            return _describe_findings(reading.findings) or "It is empty."
        fits = {sheet.sheet: fit for sheet in sheets if (fit := self._fit(sheet)) is not None}
        if not fits:
            return "None of its rows is the header of a table of the trial."
        by_table: dict[str, list[Sheet]] = {}
        for sheet in sheets:
            if sheet.sheet in fits:
                by_table.setdefault(fits[sheet.sheet].table.name, []).append(sheet)
        return [
            self._draw_up_rule(file, table_sheets, fits, is_only=len(by_table) == 1)
            for table_sheets in by_table.values()
        ]

    def _fit(self, sheet: Sheet) -> _Fit | None:
        """Return the table that most columns of a sheet are of; None where none is, or more than one."""
        fits = sorted(
            (fit for table in self.tables.values() for fit in self._iterate_table_fits(sheet, table)), key=_rank
        )
        best = [ranked_fit for ranked_fit in fits if ranked_fit.score == fits[0].score and ranked_fit.score]
        named = [best_fit for best_fit in best if _is_named(best_fit.table, f"{sheet.file} {sheet.sheet}")]
        return best[0] if len(best) == 1 else named[0] if len(named) == 1 else None

    def _iterate_table_fits(self, sheet: Sheet, table: Table) -> Iterator[_Fit]:
        headers = index_fields_by_header(table)
        stated_names = {"school_id", "class"}
        plain = find_layout(sheet, table, headers=headers, told_elsewhere=stated_names | set(table.key))
        if plain.header is not None:
            identifier_headers = (
                {} if "pupil_id" in plain.columns or table.about != "pupil" else _find_identifier_header(plain)
            )
            identifier_headers = {
                header: name for header, name in identifier_headers.items() if self.gate.kind_of_label(header) is None
            }
            missing = set(table.key) - {"school_id"} - set(plain.columns) - set(identifier_headers.values())
            if not missing:
                yield _Fit(table=table, layout=plain, wide=None, header=None, headers=identifier_headers)
        for name in (*table.key, WAVE) if table.by_wave else table.key:
            if name in stated_names or name == "pupil_id" or name in plain.columns:
                continue
            wide_layout = find_wide(
                sheet,
                table,
                Wide(across=name),
                owner=headers,
                told=frozenset(stated_names),
                window=None,
                units={},
                waves=self.protocol.wave_names,
            )
            if wide_layout is None:
                continue
            layout = find_layout(
                wide_layout.sheet,
                table,
                headers=headers,
                told_elsewhere=stated_names | set(table.key),
                at=wide_layout.at,
                passed_over=wide_layout.passed_over,
            )
            yield _Fit(table=table, layout=layout, wide=Wide(across=name), header=wide_layout, headers={})

    def _draw_up_rule(self, file: str, sheets: Sequence[Sheet], fits: Mapping[str, _Fit], *, is_only: bool) -> _Draft:
        first = fits[sheets[0].sheet]
        table, undecided = first.table, []
        rule = InboxRule(file, table.name, headers=first.headers)
        if first.headers:
            (header,) = first.headers
            undecided.append(f"Check that the column {header!r} is 'pupil_id': only its values say so.")
        if not is_only:
            rule = replace(rule, sheet=sheets[0].sheet)
        elif len(sheets) > 1:
            rule = replace(rule, sheet="")
        rule = replace(rule, wide=first.wide)
        rule, remarks = self._find_rule_wave(rule, sheets, table)
        undecided += remarks
        rule, remarks = self._find_wide_columns(rule, sheets, fits)
        undecided += remarks
        rule, remarks = self._find_rule_school(rule, sheets, fits)
        undecided += remarks
        rule = replace(rule, class_from=_find_class_source(sheets, fits, table))
        undecided += [
            f"{layout_finding.problem} If they are to be converted, add units to the rule, such as units = "
            f"{{ days = 6 }}."
            for sheet in sheets
            for layout_finding in fits[sheet.sheet].layout.findings
            if layout_finding.severity == "question" and layout_finding.problem.startswith("The header says")
        ]
        earlier = [earlier_rule.pattern for earlier_rule in find_rules_for_file(file, self.rules)[0]]
        if earlier:
            undecided.append(f"The rule {earlier[0]!r} speaks of the file, too: put this one in its place.")
        named = {school for sheet in sheets for school in _iterate_named_schools(fits[sheet.sheet].layout)}
        return _Draft(rule=rule, file=file, undecided=tuple(undecided), schools=frozenset(named))

    def _find_rule_wave(self, rule: InboxRule, sheets: Sequence[Sheet], table: Table) -> tuple[InboxRule, list[str]]:
        if not table.by_wave or _is_of_waves(rule):
            return rule, []
        waves = self.protocol.waves
        parts = [
            f" {normalise_header(part)} " for part in (*rule.pattern.split("/"), *(sheet.sheet for sheet in sheets))
        ]
        named = [
            wave_name.name
            for wave_name in waves
            if any(
                f" {normalise_header(word)} " in part for word in (wave_name.name, wave_name.label) for part in parts
            )
        ]
        if len(waves) == 1:
            named = [waves[0].name]
        if len(named) == 1:
            return replace(rule, wave=named[0]), []
        listed = ", ".join(f'"{wave_name.name}"' for wave_name in waves)
        return rule, [
            f"Nothing tells which wave it is of. Add wave to the rule: one of {listed}; it is read here as the first."
        ]

    def _find_wide_columns(
        self, rule: InboxRule, sheets: Sequence[Sheet], fits: Mapping[str, _Fit]
    ) -> tuple[InboxRule, list[str]]:
        fit = fits[sheets[0].sheet]
        if fit.wide is None or fit.header is None:
            return rule, []
        window = self.windows.get(rule.wave)
        stated_names = frozenset({"school_id"})
        read = [
            find_wide(
                sheet,
                fit.table,
                fit.wide,
                owner=index_fields_by_header(fit.table),
                told=stated_names,
                window=window,
                units={},
                waves=self.protocol.wave_names,
            )
            for sheet in sheets
        ]
        left = dict.fromkeys(
            header for wide_columns in read if wide_columns is not None for header in wide_columns.without_year
        )
        undecided = []
        if left:
            listed = ", ".join(map(repr, left))
            undecided.append(
                f"Nothing tells the year of months: {listed}. Add to wide: school_year = the year in which the school "
                "year began."
            )
        if all(wide_columns is None or wide_columns.is_told for wide_columns in read):
            return replace(rule, wide=fit.wide), undecided
        numeric = [
            numeric_field
            for numeric_field in fit.table.fields
            if numeric_field.name not in fit.table.key and numeric_field.type in NUMERIC_TYPES
        ]
        texts = [text for sheet in sheets for text, _ in find_texts_of_source(sheet, fit.header.at, "title")]
        texts += [posixpath.basename(rule.pattern), *(sheet.sheet for sheet in sheets)]
        named = {
            named_field.name for named_field in numeric for text in texts if _has_any_key(text, named_field.header_keys)
        }
        if len(numeric) == 1 or len(named) == 1:
            name = next(iter(named), numeric[0].name)
            return replace(rule, wide=replace(fit.wide, field=name)), undecided
        listed = ", ".join(f'"{named_field.name}"' for named_field in numeric)
        undecided.append(f"Nothing tells which field the cells are of. Add it to wide: field = one of {listed}.")
        return replace(rule, wide=fit.wide), undecided

    def _find_rule_school(
        self, rule: InboxRule, sheets: Sequence[Sheet], fits: Mapping[str, _Fit]
    ) -> tuple[InboxRule, list[str]]:
        if all("school_id" in fits[listed_sheet.sheet].layout.columns for listed_sheet in sheets):
            return rule, []
        for source in SCHOOL_SOURCES:
            school_sets = [self._find_sheet_schools(sheet, fits[sheet.sheet], source) for sheet in sheets]
            if all(len(school_set) == 1 for school_set in school_sets):
                return replace(rule, school_from=source), []
        for source in SCHOOL_SOURCES:
            texts = [
                text
                for listed_sheet in sheets
                for text, _ in find_texts_of_source(listed_sheet, fits[listed_sheet.sheet].layout.header or 0, source)
            ]
            suggested = self.finder.suggested(texts)
            if suggested:
                named = " or ".join(f"{school_id!r} ({self.names[school_id]})" for school_id in suggested)
                problem = f"It may be of {named}, and is asked about when it is collected: answer with the identifier."
                return replace(rule, school_from=source), [problem]
        remark = (
            "Nothing tells which school it is of. Put its identifier, or its name as the frame has it, into the name"
        )
        return replace(rule, school_from="file"), [f"{remark} of the file; or answer when collect asks."]

    def _find_sheet_schools(self, sheet: Sheet, fit: _Fit, source: str) -> frozenset[str]:
        texts = find_texts_of_source(sheet, fit.layout.header or 0, source)
        return frozenset(school for text, _ in texts for school in self.finder.of(text))


def _iterate_named_schools(layout: Layout) -> Iterator[str]:
    """Yield what is in the column of schools."""
    school_position = layout.columns.get("school_id")
    if school_position is None:
        return
    for place in layout.rows:
        row = layout.sheet.rows[place]
        if school_position < len(row) and row[school_position] is not None:
            yield format_value(row[school_position]).strip()


def _is_of_waves(rule: InboxRule) -> bool:
    return rule.wide is not None and rule.wide.across == WAVE


def _describe_findings(findings: Findings) -> str:
    return " ".join(f"{finding.problem} {finding.remedy}" for finding in findings if finding.severity != "note")


def _rank(fit: _Fit) -> tuple[int, str, bool]:
    return -fit.score, fit.table.name, fit.wide is not None


def _is_named(table: Table, text: str) -> bool:
    return _has_any_key(text, (normalise_header(table.name), normalise_header(table.label)))


def _has_any_key(text: str, keys: Sequence[str]) -> bool:
    return any(key and f" {key} " in f" {normalise_header(text)} " for key in keys)


def _find_identifier_header(layout: Layout) -> dict[str, str]:
    """Return the one header whose column can be identifiers of pupils: in every row another word with a digit."""
    row = layout.sheet.rows[layout.header or 0]
    records = [layout.sheet.rows[row_index] for k, row_index in enumerate(layout.rows) if k not in layout.apart]
    identifier_titles = []
    for position, title in enumerate(row):
        cells = [
            str(record[position]).strip()
            for record in records
            if position < len(record) and not is_empty((record[position],))
        ]
        is_one = len(cells) >= max(_LEAST_UNIQUE, 0.9 * len(records)) and len(set(cells)) == len(cells)
        has_form = all(any(map(str.isdigit, cell)) and not any(map(str.isspace, cell)) for cell in cells)
        if isinstance(title, str) and position not in layout.columns.values() and is_one and has_form:
            identifier_titles.append(" ".join(title.split()))
    return {identifier_titles[0]: "pupil_id"} if len(identifier_titles) == 1 else {}


def _find_class_source(sheets: Sequence[Sheet], fits: Mapping[str, _Fit], table: Table) -> str:
    """Return where the class is stated, where that is sure; headings are known in tables without classes, too."""
    layouts = [fits[listed_sheet.sheet].layout for listed_sheet in sheets]
    if any(_has_headings(sheet_layout) for sheet_layout in layouts):
        return "headings"
    if "class" not in table.names or all("class" in sheet_layout.columns for sheet_layout in layouts):
        return ""
    for source in ("sheet", "title", "file", "folder"):
        named = [
            [
                class_name
                for text, _ in find_texts_of_source(sheet, layout.header or 0, source)
                for class_name in find_classes(text)
            ]
            for sheet, layout in zip(sheets, layouts, strict=True)
        ]
        if all(
            class_names and all(is_same_class(class_names[0], other) for other in class_names) for class_names in named
        ):
            return source
    return ""


def _has_headings(layout: Layout) -> bool:
    class_at = layout.columns.get("class")
    return any(find_heading(layout.sheet.rows[row], class_at) for row in layout.rows)


def _merge_alike_drafts(drafts: Sequence[_Draft], files: Sequence[str]) -> Iterator[tuple[_Draft, tuple[str, ...]]]:
    """Put rules that differ by the file alone together, where one pattern means these files and no other."""
    alike: dict[str, list[_Draft]] = {}
    for draft in drafts:
        rule = replace(draft.rule, pattern="")
        undecided_texts = tuple(text for text in draft.undecided)
        alike.setdefault(
            repr((rule, posixpath.splitext(draft.file)[1].casefold(), draft.file.count("/"), undecided_texts)), []
        ).append(draft)
    for alike_drafts in alike.values():
        draft_files = {alike_draft.file for alike_draft in alike_drafts}
        pattern = generate_common_pattern(sorted(draft_files))
        meant = {file for file in files if InboxRule(pattern, "").matches(file)}
        if meant == draft_files:
            schools = frozenset(school for alike_draft in alike_drafts for school in alike_draft.schools)
            rule = replace(alike_drafts[0].rule, pattern=pattern)
            yield replace(alike_drafts[0], rule=rule, schools=schools), tuple(sorted(draft_files))
        else:
            yield from ((alike_draft, (alike_draft.file,)) for alike_draft in alike_drafts)


def _describe_trial_intake(
    trial: TrialFolder, drafter: _Drafter, drafted: tuple[_Draft, tuple[str, ...]], files: Mapping[str, Path | bytes]
) -> Proposal:
    """Describe what intake makes of files by a rule."""
    from data_schema.intake import read_inbox

    draft, draft_paths = drafted
    rule, undecided, frame = draft.rule, draft.undecided, drafter.frame
    # Before there is a frame, the schools of a file are those that it names.
    schools = drafter.schools or dict.fromkeys(sorted(draft.schools), drafter.countries[0] if drafter.countries else "")
    tables = trial.tables
    # Of which wave a file is changes little of how its rows are read.
    needs_wave = tables[rule.table].by_wave and not rule.wave and not _is_of_waves(rule)
    tried = replace(rule, wave=trial.protocol.wave_names[0]) if needs_wave else rule
    intake = read_inbox(
        {file: files[file] for file in draft_paths},
        # Words of a pattern are known to intake, and a name of a file may hold a person's.
        rules=[replace(tried, pattern="**")],
        tables=tables,
        schools=schools,
        school_names=tuple(iterate_frame_texts(frame, trial.tables)),
        names=drafter.names,
        waves=trial.protocol.wave_names,
        wave_dates=compute_wave_windows(trial.protocol),
        # Who is on the lists is another question than how a file is laid out.
        lists=(),
    )
    if intake.called:
        undecided = (
            *undecided,
            "The name of a file says something of a person: rename it before it goes into the inbox.",
        )
        hidden = [f"{posixpath.dirname(file)}/*{posixpath.splitext(file)[1]}".lstrip("/") for file in draft_paths]
        rule = replace(rule, pattern=generate_common_pattern(sorted(hidden)))
    table = tables[rule.table]
    shown = [item.name for item in table.fields if not item.is_private]
    taken_rows = intake.frames[rule.table][shown].dropna(axis="columns", how="all")
    counts = intake.reconciliation[["sent", "kept", "asked", "refused"]].sum()
    return Proposal(
        rule=rule,
        files=tuple(intake.called.get(file, file) for file in draft_paths),
        undecided=undecided,
        counts={str(name): int(n) for name, n in counts.items()},
        rows=taken_rows.head(N_SHOWN),
        findings=intake.findings,
    )
