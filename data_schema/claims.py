"""Which sheet of which file is which table: zipped folders opened, rules matched, sheets dealt out."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from data_schema.conversions import Repair
from data_schema.fields import normalise_header, normalise_word
from data_schema.files import compute_content_sha256
from data_schema.findings import Finding
from data_schema.form_marks import MARKER, FormMark, has_marks, mark_in
from data_schema.form_sheets import FormSheet, ReturnedSheet, assign_form_sheets, find_form_layout
from data_schema.headers import find_meant_field, index_fields_by_header
from data_schema.layout import N_SEARCHED, Layout, find_layout, find_named_fields, is_empty
from data_schema.named_schools import NamedSchools, SchoolFinder
from data_schema.readers import Cell, ReadAhead, Reading, Sheet, content_of, is_folder, members, names_sheet, read_file
from data_schema.readers.files import describe_non_file, is_backup, is_left_behind, is_named_in_other_letters
from data_schema.reading_order import (
    about,
    build_nested_folder_finding,
    build_unmatched_finding,
    find_country_in_path,
    infer_countries,
    is_word_in_content,
    iterate_requests,
)
from data_schema.redcap import (
    Dictionary,
    add_second_names,
    parse_dictionary,
    select_sheets_of_wave,
    split_by_event,
    translate_codes,
)
from data_schema.returns import Tally
from data_schema.rules import (
    InboxRule,
    can_share_sheet,
    describe_contradiction,
    find_rules_for_file,
    select_distinct_rules,
)
from data_schema.sources import add_school_and_class
from data_schema.submissions import KnownForm, ask_about_tests, check_form_versions
from data_schema.tables import Table
from data_schema.unrolling import reshape_to_records, split_by_wave
from data_schema.wide import WAVE, WideHeader, Window, find_wide

_N_READERS = 4
_MEDIA = "/media/"
"""Folder in which programs for collecting forms pack what was attached to submissions."""

_OTHER_LETTERS = "Its name is not in Unicode (UTF-8); signs that cannot be read stand here as \\x and a number."
_DIFFER = "Make the patterns of the rules differ."
_RENAME = "Nothing, if the name does not matter; otherwise rename the file."


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sheet that a rule says is a table.

    Parameters
    ----------
    sheet
        The sheet.
    rule
        The rule.
    country
        Country of the file, as far as its path tells.
    sha256
        Hash of the file's content, by which a second copy is known.
    form
        What is known of a sheet of an entry workbook; None for other files.
    """

    sheet: Sheet
    rule: InboxRule
    country: str
    sha256: str
    form: FormSheet | None = None

    def unused(self, n_rows: int, *, is_asked: bool = False) -> Tally:
        """Account for the rows of a sheet that cannot be used, or not before its school has answered."""
        return Tally(
            file=self.sheet.file,
            sheet=self.sheet.sheet,
            table=self.rule.table,
            wave=self.rule.wave,
            country=self.country,
            sent=n_rows,
            asked=n_rows if is_asked else 0,
            refused=0 if is_asked else n_rows,
        )


@dataclass(slots=True, kw_only=True)
class Claims:
    """Opens the files of an inbox one by one; used once.

    Parameters
    ----------
    rules
        Which file is which table.
    tables
        The tables that are collected, by name.
    schools
        `school_id` to country.
    names
        `school_id` to what the school is called, for those of which it is known.
    waves
        Names of the waves.
    wave_dates
        Wave to its first and last day, where known.
    needed
        Table and wave to the fields that the results of the trial are made from.
    known_forms
        Returns the XLSForms of the trial by name; None where there are none to compare with.
    digest
        Makes the hash of a file's content.
    findings, tallies
        What was found, and the account of files that could not be read; filled while claims are yielded. So is
        `digests`: file to the hash of its content, `sheets`: workbook to the names of its sheets, and `forms`: the
        files that are entry workbooks.
    """

    rules: Sequence[InboxRule]
    tables: Mapping[str, Table]
    schools: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    waves: Collection[str] = ()
    wave_dates: Mapping[str, Window] = field(default_factory=lambda: MappingProxyType({}))
    needed: Mapping[tuple[str, str], Collection[str]] = field(default_factory=lambda: MappingProxyType({}))
    known_forms: Callable[[], Mapping[str, KnownForm]] | None = None
    digest: Callable[[bytes], str] = compute_content_sha256
    findings: list[Finding] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    _as_sent: dict[tuple[object, ...], tuple[Table, dict[str, str]]] = field(init=False, default_factory=dict)
    digests: dict[str, str] = field(init=False, default_factory=dict)
    sheets: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    forms: set[str] = field(init=False, default_factory=set)
    _seen: dict[tuple[str, str, str, str], str] = field(init=False, default_factory=dict)
    _country_of: dict[str, str] = field(init=False, default_factory=dict)
    _unmet: dict[InboxRule, set[str]] = field(init=False, default_factory=dict)
    _met: set[InboxRule] = field(init=False, default_factory=set)
    _waves_read: set[str] = field(init=False, default_factory=set)
    _sent_as_forms: set[tuple[str, str]] = field(init=False, default_factory=set)
    _dictionaries: dict[str, Dictionary] = field(init=False, default_factory=dict)
    _whole: dict[str, Sheet] = field(init=False, default_factory=dict)
    _read: Callable[..., Reading] = field(init=False, default=read_file)
    _named: NamedSchools = field(init=False)
    _finder: SchoolFinder = field(init=False)

    def __post_init__(self) -> None:
        if self.known_forms is not None:
            # To make all forms takes seconds: once, and where a submission names its form.
            self.known_forms = cache(self.known_forms)
        self._named = NamedSchools(self.schools)
        self._finder = SchoolFinder(self.schools, self.names)

    def without_dictionaries(self, files: Mapping[str, Path | bytes]) -> dict[str, Path | bytes]:
        """Read the data dictionaries that rules name, and return the other files."""
        others = dict(files)
        for file in files:
            rules = [rule for rule in self.rules if rule.is_dictionary(file)]
            if rules:
                content = content_of(others.pop(file), file=file)
                reading = content if isinstance(content, Reading) else read_file(content, file=file)
                self.findings += reading.findings
                self.digests |= {} if isinstance(content, Reading) else {file: self.digest(content)}
                dictionary = parse_dictionary(reading, file=file)
                self._dictionaries |= {} if dictionary is None else {rule.dictionary: dictionary for rule in rules}
        return others

    def understood(self, claim: Claim, layout: Layout, wide: WideHeader | None) -> tuple[Layout, list[Repair]]:
        """Return a layout as its form and its rule's data dictionary mean it, and the cells that were changed."""
        if self.known_forms is not None and claim.form is None:
            rule = claim.rule
            layout = check_form_versions(layout, table=rule.table, wave=rule.wave, forms=self.known_forms)
        if claim.form is None:
            headers = self.as_sent(claim.rule, country=self._infer_country(claim.country))[1]
            opens = self.wave_dates.get(claim.rule.wave)
            layout = ask_about_tests(layout, known=headers, opens=opens[0] if opens else None)
        dictionary = self._dictionaries.get(claim.rule.dictionary)
        if claim.form is not None or dictionary is None:
            return layout, []
        whole_sheet = self._whole.get(claim.sheet.file, claim.sheet)
        columns = (
            []
            if wide is None
            else [(wide_column.field, column_index) for column_index, wide_column in wide.columns.items()]
        )
        table = self.tables[claim.rule.table]
        return translate_codes(layout, table, dictionary, whole_sheet.rows, schools=self.schools, wide=columns)

    def laid_out(self, claim: Claim) -> tuple[Layout, WideHeader | None]:
        """Find the table of a claim in its sheet as it was sent, and what columns of it represent."""
        country = self._infer_country(claim.country)
        table, headers = self.as_sent(claim.rule, country=country)
        if claim.form is not None:
            return find_form_layout(claim.sheet, table, claim.form), None
        needed = self.needed.get((claim.rule.table, claim.rule.wave), ())
        dictionary = self._dictionaries.get(claim.rule.dictionary)
        sheet = claim.sheet if dictionary is None else add_second_names(claim.sheet, dictionary)
        window, stated_elsewhere = self.wave_dates.get(claim.rule.wave), claim.rule.told_elsewhere
        wide = self._find_wide_header(sheet, claim.rule, table, headers, window)
        if wide is not None and claim.rule.wide is not None:
            stated_elsewhere |= {
                claim.rule.wide.across,
                *(wide_column.field for wide_column in wide.columns.values()),
                claim.rule.wide.field,
            }
        layout = find_layout(
            sheet if wide is None else wide.sheet,
            table,
            headers=headers,
            needed=needed,
            units=claim.rule.units,
            country=country,
            own_headers=claim.rule.own_headers,
            told_elsewhere=stated_elsewhere,
            at=None if wide is None else wide.at,
            passed_over={
                *(() if wide is None else wide.passed_over),
                *self._iterate_foreign_columns(sheet, claim.rule, headers),
            },
        )
        if claim.rule.dictionary and dictionary is None:
            file = claim.rule.dictionary
            problem = f"Its data dictionary, {file}, is not in the inbox or is none; its codes cannot be read."
            remedy = "Put it there as REDCap gives it (CSV), or correct the key 'dictionary' in [[inbox]]."
            refusal = about(claim.sheet.file, problem, remedy, sheet=claim.sheet.sheet)
            layout = replace(layout, findings=(*layout.findings, refusal))
        if claim.rule.headers:
            present = {
                normalise_header(cell) for row in claim.sheet.rows[:N_SEARCHED] for cell in row if isinstance(cell, str)
            }
            unmet = self._unmet.setdefault(claim.rule, set(claim.rule.headers))
            unmet -= {header for header in unmet if normalise_header(header) in present}
        return layout, wide

    def _iterate_foreign_columns(self, sheet: Sheet, rule: InboxRule, headers: Mapping[str, str]) -> Iterator[int]:
        """Yield the columns of a REDCap table that are those of other tables of its project, or REDCap's own."""
        dictionary = self._dictionaries.get(rule.dictionary)
        if dictionary is None or not sheet.rows:
            return
        others = [
            inbox_rule
            for inbox_rule in self.rules
            if inbox_rule.dictionary == rule.dictionary and inbox_rule.table != rule.table
        ]
        known = {key: name for other_rule in others for key, name in self.as_sent(other_rule)[1].items()}
        for column_index, cell in enumerate(sheet.rows[0]):
            names = [
                name
                for name in (cell, *sheet.labels[column_index : column_index + 1])
                if isinstance(name, str) and name
            ]
            is_own = any(find_meant_field(name, headers) for name in names)
            if not is_own and any(find_meant_field(name, known) or dictionary.adds(name) for name in names):
                yield column_index

    def arranged(
        self, claim: Claim, layout: Layout, wide: WideHeader | None, *, said: Cell = None
    ) -> Iterator[tuple[Claim, Layout]]:
        """Yield a sheet's rows as records with all that is stated elsewhere than in columns, for each wave of them.

        Parameters
        ----------
        claim, layout, wide
            The claim, and what `laid_out` returned for it.
        said
            Which school it is, as was answered when it was asked.
        """
        rule = claim.rule
        table, _ = self.as_sent(rule, country=self._infer_country(claim.country))
        if rule.told_elsewhere:
            layout = add_school_and_class(layout, rule, table, self._finder, country=claim.country, said=said)
        if wide is not None and rule.wide is not None:
            layout = reshape_to_records(layout, wide, table, rule.wide)
        if rule.wide is None or rule.wide.across != WAVE:
            yield claim, layout
            return
        for wave, part in split_by_wave(layout, self.waves):
            yield replace(claim, rule=replace(rule, wave=wave)), part

    def _find_wide_header(
        self, sheet: Sheet, rule: InboxRule, table: Table, headers: Mapping[str, str], window: Window | None
    ) -> WideHeader | None:
        if rule.wide is None:
            return None
        elsewhere, units = rule.told_elsewhere, rule.units
        return find_wide(
            sheet, table, rule.wide, owner=headers, told=elsewhere, window=window, units=units, waves=self.waves
        )

    def unmet(self) -> Iterator[Finding]:
        """Report rules that no file has the pattern of, and of headers that none of a rule's files has.

        Call it when all files are read.
        """
        for rule in self.rules:
            # That nothing of a wave has come yet is no news.
            is_due = rule.wave in self._waves_read and (rule.table, rule.wave) not in self._sent_as_forms
            if is_due and rule not in self._met:
                problem = "No file in the inbox has the pattern of this rule."
                remedy = "Nothing, if none has come yet; otherwise correct the pattern in [[inbox]]."
                yield about(rule.pattern, problem, remedy, severity="note")
        for rule, headers in self._unmet.items():
            for header in sorted(headers):
                problem = f"No file of the rule has the header {header!r}, which its headers name."
                remedy = "Correct the header in [[inbox]], or take it out."
                yield about(rule.pattern, problem, remedy, severity="question")

    def number_of(self, sheet: Sheet) -> int:
        """Return the number of a sheet in its workbook, from 1."""
        return self.sheets[sheet.file].index(sheet.sheet) + 1

    def as_sent(self, rule: InboxRule, *, country: str = "") -> tuple[Table, dict[str, str]]:
        """Return the table as a country's files of a rule's wave have it, and the field that each header means."""
        key = (rule.table, rule.wave, country, *rule.headers.items())
        if key not in self._as_sent:
            table = self.tables[rule.table]
            table = (table.in_wave(rule.wave) if rule.wave else table).in_country(country)
            self._as_sent[key] = (table, {**index_fields_by_header(table), **rule.own_headers})
        return self._as_sent[key]

    def _infer_country(self, country: str) -> str:
        """Return the country whose words a file has: the one that its path names, or the trial's only one."""
        countries = set(self.schools.values())
        return country or (next(iter(countries)) if len(countries) == 1 else "")

    def _is_like_rule_table(self, sheet: Sheet, rule: InboxRule, country: str) -> bool:
        table, headers = self.as_sent(rule, country=self._infer_country(country))
        if self._find_wide_header(sheet, rule, table, headers, None):
            return True
        return bool(find_named_fields(sheet, table, headers=headers, told_elsewhere=rule.told_elsewhere))

    @contextmanager
    def reading_ahead(self, files: Mapping[str, Path | bytes]) -> Iterator[None]:
        """Have the next of the files read while one is worked on; they are asked for by name."""
        requests = iterate_requests(
            files, schools=self.schools, is_ruled=lambda file: bool(self._find_matching_rules(file))
        )
        with ReadAhead(requests, n_processes=min(os.cpu_count() or 1, _N_READERS)) as self._read:
            yield
        self._read = read_file

    def of(self, file: str, source: Path | bytes) -> Iterator[Claim]:
        """Yield the sheets of a file that rules speak of; of a zipped folder, those of the files in it."""
        if isinstance(source, Path) and is_named_in_other_letters(source, file):
            self.findings.append(about(file, _OTHER_LETTERS, _RENAME, severity="note"))
        why = describe_non_file(source) if isinstance(source, Path) else ""
        if why:
            self.findings.append(about(file, why, "Put the file itself there.", severity="question"))
            return
        is_archive = file.casefold().endswith((".zip", ".xlsx", ".xls", ".ods")) or isinstance(source, bytes)
        content = content_of(source, file=file) if is_archive or self._find_matching_rules(file) else None
        if isinstance(content, bytes) and is_folder(content):
            yield from self._iterate_folder_claims(file, content)
            return
        form = self._read_entry_workbook(file, content, is_likely=not self._find_matching_rules(file))
        if form is not None:
            yield from self._iterate_form_claims(*form)
            return
        rules = self._find_matching_rules(file)
        if not rules and file.casefold().endswith(".zip"):
            # A workbook is a zipped folder too, and mail programs name it so.
            rules = self._find_matching_rules(f"{file[:-4]}.xlsx")
        if not rules:
            self.findings.append(build_unmatched_finding(file))
        elif content is not None:
            yield from self._iterate_file_claims(
                file, content, rules, country=find_country_in_path(file, self.schools.values())
            )

    def is_second_copy(self, claim: Claim) -> bool:
        """Whether the same sheet of the same content was claimed before; if so, a note tells where."""
        key = (claim.sha256, claim.sheet.sheet, claim.rule.table, claim.rule.wave)
        first = self._seen.setdefault(key, claim.sheet.file)
        self._country_of.setdefault(claim.sheet.file, claim.country)
        if first == claim.sheet.file:
            return False
        file, sheet = claim.sheet.file, claim.sheet.sheet
        if self._named.of(file) != self._named.of(first) or claim.country != self._country_of[first]:
            problem = f"The file is the same as {first}, though another school or country is in its name."
            remedy = "Send the file that belongs here."
            self.findings.append(about(file, problem, remedy, sheet=sheet, severity="question"))
        else:
            problem = f"The file is the same as {first}; it is taken in once."
            self.findings.append(about(file, problem, "Nothing.", sheet=sheet, severity="note"))
        return True

    def _find_matching_rules(self, file: str) -> tuple[InboxRule, ...]:
        return () if is_left_behind(file) or is_backup(file) else find_rules_for_file(file, self.rules)[0]

    def _iterate_folder_claims(self, file: str, content: bytes) -> Iterator[Claim]:
        folder, name = posixpath.split(file)
        stem = name.rpartition(".")[0] or name
        opened = False
        for member in members(content, file=file):
            if isinstance(member.content, Finding):
                self.findings.append(member.content)
                opened = True
                continue
            opened = True
            base = posixpath.basename(member.name)
            below = (member.name, f"{stem}/{member.name}", base)
            paths = [*(posixpath.join(folder, path) for path in below), member.name, file]
            place = next((path for path in paths if self._find_matching_rules(path)), "")
            called = f"{file}/{member.name}"
            form = self._read_entry_workbook(called, member.content, is_likely=False)
            if form is not None:
                yield from self._iterate_form_claims(*form)
                continue
            if not place and _MEDIA in f"/{member.name}":
                problem = "It was attached to a submission; it is not read."
                self.findings.append(about(called, problem, "Nothing.", severity="note"))
                continue
            if not place or is_folder(member.content):
                self.findings.append(
                    build_nested_folder_finding(called)
                    if place or base.casefold().endswith(".zip")
                    else build_unmatched_finding(called)
                )
                continue
            country = find_country_in_path(place, self.schools.values()) or find_country_in_path(
                called, self.schools.values()
            )
            yield from self._iterate_file_claims(
                called, member.content, self._find_matching_rules(place), country=country
            )
        if not opened:
            self.findings.append(about(file, "It is a folder with nothing in it.", "Pack it again and send it."))

    def _read_entry_workbook(
        self, file: str, content: bytes | Reading | None, *, is_likely: bool
    ) -> tuple[str, str, Reading, FormMark] | None:
        """Return a file's name, hash and reading if it is an entry workbook; a likely one is known by its marks."""
        if not isinstance(content, bytes) or not (is_likely or names_sheet(content, MARKER)):
            return None
        reading = self._read(content, file=file)
        mark = mark_in(reading)
        return None if mark is None else (file, self.digest(content), reading, mark)

    def _iterate_form_claims(self, file: str, digest: str, reading: Reading, mark: FormMark) -> Iterator[Claim]:
        """Yield the sheets of an entry workbook, which says itself what they are."""
        self.digests[file] = digest
        self.sheets[file] = tuple(sheet.sheet for sheet in reading.sheets)
        self.forms.add(file)
        sheets, findings = assign_form_sheets(
            reading,
            mark,
            tables=self.tables,
            waves=self.waves,
            in_wave=lambda name, wave: self.as_sent(InboxRule(file, name, wave=wave))[0],
        )
        self.findings += [*reading.findings, *findings]
        for returned_sheet in sheets:
            claim = self._build_form_claim(returned_sheet, digest)
            if returned_sheet.refusal is None:
                yield claim
            else:
                self.findings.append(returned_sheet.refusal)
                self.tallies.append(claim.unused(returned_sheet.n_rows))

    def _build_form_claim(self, one: ReturnedSheet, digest: str) -> Claim:
        table = self.tables.get(one.table)
        wave = one.wave if table is None or table.by_wave else ""
        rule = InboxRule(one.sheet.file, one.table, wave=wave, sheet=one.sheet.sheet)
        self._sent_as_forms.add((rule.table, rule.wave))
        country = self.schools.get(one.form.school, "")
        return Claim(sheet=one.sheet, rule=rule, country=country, sha256=digest, form=one.form)

    def _iterate_file_claims(
        self, file: str, content: bytes | Reading, rules: Sequence[InboxRule], *, country: str
    ) -> Iterator[Claim]:
        if isinstance(content, Reading):
            reading, digest = content, ""
        else:
            reading = self._read(content, file=file, countries=infer_countries(content, country, self.schools))
            digest = self.digests[file] = self.digest(content)
        if reading.sheets and reading.sheets[0].separator and (split := split_by_event(reading)) is not reading:
            self._whole[file], reading = reading.sheets[0], split
        self.sheets[file] = tuple(sheet.sheet for sheet in reading.sheets)
        # A look at the bytes tells of a text file at once what a look at a million rows would.
        may_be_form = not reading.sheets or not reading.sheets[0].separator or is_word_in_content(content, MARKER)
        if may_be_form and any(map(has_marks, reading.sheets)) and (mark := mark_in(reading)) is not None:
            yield from self._iterate_form_claims(file, digest, reading, mark)
            return
        self.findings += reading.findings
        if not reading.sheets:
            self.tallies += [
                Tally(file=file, sheet=rule.sheet, table=rule.table, wave=rule.wave, country=country)
                for rule in select_distinct_rules(rules)
            ]
            return
        self._met.update(rules)
        claimed = self._assign_sheets_to_rules(rules, reading, country=country, sha256=digest)
        for sheet in reading.sheets:
            for rule in claimed.get(sheet.sheet, ()):
                self._waves_read |= {rule.wave} if sheet.rows else set()
                yield Claim(sheet=sheet, rule=rule, country=country, sha256=digest)

    def _assign_sheets_to_rules(
        self, rules: Sequence[InboxRule], reading: Reading, *, country: str, sha256: str
    ) -> dict[str, list[InboxRule]]:
        """Deal the sheets of a file to the rules; a sheet that two rules read in different ways goes to none."""
        claims: dict[str, list[InboxRule]] = {}
        absent = []
        for rule in rules:
            rule_sheets = self._find_sheets_of_rule(rule, reading.sheets, rules, country=country)
            absent += [] if rule_sheets else [rule]
            for sheet in rule_sheets:
                claims.setdefault(sheet.sheet, []).append(rule)
        dealt: dict[str, list[InboxRule]] = {}
        left = []
        for sheet in reading.sheets:
            sheet_rules = select_distinct_rules(claims.get(sheet.sheet, ()))
            if sheet_rules and can_share_sheet(sheet_rules):
                dealt[sheet.sheet] = sheet_rules
                self._report_sheet_by_header(sheet, sheet_rules[0], reading)
            elif sheet_rules:
                claim = Claim(sheet=sheet, rule=sheet_rules[0], country=country, sha256=sha256)
                self.findings.append(about(sheet.file, describe_contradiction(sheet_rules), _DIFFER, sheet=sheet.sheet))
                self.tallies.append(claim.unused(len(self.laid_out(claim)[0].rows)))
            elif any(not is_empty(row) for row in sheet.rows):
                left.append(sheet)
        self._report_unmatched_sheets(left, absent, reading, country=country)
        return dealt

    def _find_sheets_of_rule(
        self, rule: InboxRule, sheets: Sequence[Sheet], rules: Sequence[InboxRule], *, country: str
    ) -> list[Sheet]:
        """Return the sheets that a rule speaks of.

        One without a sheet's name means every visible sheet whose header has the table's key (a sheet a class), or the
        first visible one.
        """
        if not sheets[0].sheet:
            return [sheets[0]]
        if sheets[0].separator and not rule.sheet:
            # The records of REDCap's events, each of them as a sheet.
            return select_sheets_of_wave(sheets, rule, self.waves)
        if rule.means_all_sheets:
            return [
                candidate_sheet
                for candidate_sheet in sheets
                if rule.means_sheet(candidate_sheet.sheet) and not all(map(is_empty, candidate_sheet.rows))
            ]
        if rule.sheet.strip():
            wanted = rule.sheet.strip().casefold()
            same = [sheet for sheet in sheets if sheet.sheet.strip().casefold() == wanted]
            alike = [sheet for sheet in sheets if normalise_word(sheet.sheet) == normalise_word(rule.sheet)]
            return same or (alike if len(alike) == 1 else [])
        named = {normalise_word(other.sheet) for other in rules if other.sheet and not other.means_all_sheets}
        free = [sheet for sheet in sheets if normalise_word(sheet.sheet) not in named]
        visible = [sheet for sheet in free if not sheet.is_hidden] or free
        fitting = [sheet for sheet in visible if self._is_like_rule_table(sheet, rule, country)]
        return fitting or visible[:1]

    def _report_sheet_by_header(self, sheet: Sheet, rule: InboxRule, reading: Reading) -> None:
        if not rule.sheet and sheet is not reading.sheets[0]:
            problem = f"The sheet has the header of the table {rule.table!r}; it is taken in as such."
            note = about(sheet.file, problem, "Nothing, if that is right.", sheet=sheet.sheet, severity="note")
            self.findings.append(note)

    def _report_unmatched_sheets(
        self, left: Sequence[Sheet], absent: Sequence[InboxRule], reading: Reading, *, country: str
    ) -> None:
        """Report sheets that no rule asks for, and of rules that no sheet answers: together they are a question."""
        file = reading.sheets[0].file
        visible = [sheet.sheet for sheet in left if not sheet.is_hidden]
        for rule in absent:
            if reading.sheets[0].separator and not rule.sheet:
                events = ", ".join(repr(sheet.sheet) for sheet in reading.sheets)
                problem = f"None of its events ({events}) is called as the wave {rule.wave!r} is; none is read."
                remedy = "Say which one is meant with 'sheet' in [[inbox]]."
                self.findings.append(about(file, problem, remedy, severity="question"))
                continue
            problem = f"The workbook has no sheet {rule.sheet!r}, which would hold the table {rule.table!r}."
            alike = [sheet.sheet for sheet in left if self._is_like_rule_table(sheet, rule, country)]
            remedy = "Send the sheet, if the school has the data."
            if alike:
                remedy = f"If it is {' or '.join(map(repr, alike))}, call the sheet {rule.sheet!r} and send it again."
            self.findings.append(about(file, problem, remedy, severity="question" if alike else "note"))
        for sheet in left:
            problem = "No rule asks for this sheet; it is left out."
            if sheet.sheet not in visible:
                problem = "The sheet is hidden and no rule asks for it; it is left out."
            remedy = "Nothing, if it is not needed."
            self.findings.append(about(file, problem, remedy, sheet=sheet.sheet, severity="note"))
