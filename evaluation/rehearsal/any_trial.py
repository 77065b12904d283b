"""Files for a trial of any protocol before there are data: valid, plausible, and without any effect in them.

What the tables, waves and inbox rules of the protocol declare is all that is used, so that a team can rehearse its own
protocol from the list of schools to the reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.simulation.names import draw_names
from analysis.simulation.streams import stream
from data_schema.errors import ProtocolError
from data_schema.language import Catalogue, Language
from data_schema.messages import get_answer_labels, get_field_label, get_language_of_country
from data_schema.patterns import draw_identifiers
from evaluation.rehearsal.forms import Cell, Form, encode_form_as_csv, encode_forms_as_xlsx
from evaluation.rehearsal.plausible import FIRST_YEAR, asked, simulate_values
from evaluation.specifications import build_design, find_pupil_lists

if TYPE_CHECKING:
    from data_schema.fields import Field
    from data_schema.intake import InboxRule
    from data_schema.tables import Table
    from evaluation.protocol import Protocol

SCHOOLS_A_COUNTRY = 12
"""Simulated schools of each country, where there is no list of schools yet."""

_PUPILS = (18, 32)
_MONTHS = 3
_UNSAFE = re.compile(r"[^\w.-]")

Columns = dict[str, list[Cell]]


def simulate_sampling_frame(protocol: Protocol, tables: Mapping[str, Table], *, seed: int) -> pd.DataFrame:
    """Make a sampling frame: the fields of the table of schools, and the columns of the design that are no such fields.

    Returns
    -------
    pandas.DataFrame
        One row per school, `SCHOOLS_A_COUNTRY` of each country; all of them consent.
    """
    frames = []
    for country in protocol.countries:
        rng = stream(seed, f"schools {country}")
        n = SCHOOLS_A_COUNTRY
        columns: Columns = {"school_id": [f"{country}-{number:03d}" for number in range(1, n + 1)]}
        for item in tables["school"].fields:
            if item.name not in ("school_id", "country"):
                columns[item.name] = simulate_values(replace(item, required=True), n, wave_number=0, rng=rng)
        columns["country"] = [country] * n
        if "size" in columns:
            columns["size"] = [int(size) for size in rng.integers(150, 900, n)]
        for name, cells in _iterate_design_columns(protocol, n, rng):
            columns.setdefault(name, cells)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _iterate_design_columns(protocol: Protocol, n: int, rng: np.random.Generator) -> Iterator[tuple[str, list[Cell]]]:
    """Yield columns that a design may look at: numbers where it cuts, measures or orders, else two values in turn."""
    design, strata = build_design(protocol), protocol.design.strata
    cuts = dict(design.cuts)
    order = design.minimisation.order if design.minimisation is not None else ""
    categories = design.constraint.categories if design.constraint is not None else ()
    for name in dict.fromkeys((*strata, *design.variables)):
        if name == order:
            yield name, [int(place) + 1 for place in rng.permutation(n)]
        elif name in cuts:
            yield name, [float(cuts[name][0] - 1 if place % 2 else cuts[name][-1] + 1) for place in range(n)]
        elif name in strata or name in categories:
            yield name, [("A", "B")[place % 2] for place in range(n)]
        else:
            yield name, [round(float(value), 3) for value in rng.normal(0, 1, n)]


def simulate_inbox_files(
    protocol: Protocol, tables: Mapping[str, Table], rules: list[InboxRule], *, schools: pd.DataFrame, seed: int
) -> dict[str, bytes]:
    """Make the files that the protocol's inbox rules wait for.

    Parameters
    ----------
    protocol
        The trial's protocol.
    tables
        Its tables.
    rules
        Which file holds which table of which wave.
    schools
        The sampling frame: `school_id` and `country`.
    seed
        Seed of the values.

    Returns
    -------
    dict
        Path below inbox/ to content: a file a school where the rule's pattern leaves room for its name, else one for
        all. Pupils are the same in every wave; headers and answers are in the language of the country.

    Raises
    ------
    ProtocolError
        When no path fits the pattern of a rule.
    """
    writer = _Writer(protocol=protocol, tables=tables, seed=seed, places=_index_schools(schools))
    forms = []
    done: set[tuple[str, str]] = set()
    for rule in rules:
        if (rule.table, rule.wave) in done:
            continue
        done.add((rule.table, rule.wave))
        for path, path_schools in _iterate_rule_paths(rule, schools):
            forms.append(writer.form(rule, path, path_schools))
    files = {}
    for file, sheets in groupby(sorted(forms, key=lambda one: (one.file, one.sheet)), key=lambda one: one.file):
        parts = list(sheets)
        files[file] = encode_forms_as_xlsx(parts) if file.endswith(".xlsx") else encode_form_as_csv(parts[0])
    return files


def _iterate_rule_paths(rule: InboxRule, schools: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the path of each file of a rule, and the schools whose rows it holds."""
    pattern = rule.pattern.replace("**/", "")
    room = pattern.count("*")
    groups: list[tuple[str, str, pd.DataFrame]] = [("", "", schools)]
    if room:
        pairs = schools.groupby(["country", "school_id"], sort=True)
        groups = [(str(country), str(school), school_rows) for (country, school), school_rows in pairs]
    for country, school, group_schools in groups:
        path = pattern.replace("*", country or "all", room - 1) if room > 1 else pattern
        path = path.replace("*", _UNSAFE.sub("_", school)).replace("?", "x")
        if "." not in path.rpartition("/")[2]:
            path += ".xlsx" if rule.sheet else ".csv"
        if not rule.matches(path) or not path.endswith((".csv", ".xlsx")):
            raise ProtocolError(
                f"[[inbox]] '{rule.pattern}'", "no simulated file fits this pattern.", "Let it end in .csv or .xlsx."
            )
        yield path, group_schools


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Fills in forms; the same pupils are in all of them."""

    protocol: Protocol
    tables: Mapping[str, Table]
    seed: int
    places: Mapping[str, int]
    _lists: dict[tuple[str, str], Columns] = field(default_factory=dict)
    _identifiers: dict[str, list[str]] = field(default_factory=dict)

    def form(self, rule: InboxRule, path: str, schools: pd.DataFrame) -> Form:
        """Return a table of some schools as a form."""
        table = self.tables[rule.table].in_wave(rule.wave)
        country = str(schools["country"].iloc[0])
        parts = [
            self._simulate_school_rows(table, str(school), rule.wave, str(place))
            for school, place in _iterate_school_countries(schools)
        ]
        columns = {name: [cell for part in parts for cell in part[name]] for name in table.names}
        catalogue = Catalogue("data_schema", Language(get_language_of_country(country)))
        cells_by_name = {item.name: _translate_cells(item, columns[item.name], catalogue) for item in table.fields}
        return Form(
            file=path,
            sheet=(rule.sheet or "Sheet1") if path.endswith(".xlsx") else "",
            table=table.name,
            wave=rule.wave,
            country=country,
            columns=table.names,
            header=tuple(get_field_label(item, catalogue, about=table.about) for item in table.fields),
            rows=tuple(zip(*(cells_by_name[name] for name in table.names), strict=True)),
        )

    def _simulate_school_rows(self, table: Table, school: str, wave: str, country: str) -> Columns:
        """Return the rows of a school; those of a list of pupils are the same in every wave."""
        is_list = table.about == "pupil" and set(table.key) == {"school_id", "pupil_id"}
        known = (
            self._lists.get((table.name, school), {})
            if is_list and table.name in find_pupil_lists(self.protocol)
            else {}
        )
        number = self.protocol.wave_names.index(wave) if wave else len(self.protocol.waves) - 1
        columns = self._build_key_columns(table, school, number, country)
        n = len(columns["school_id"])
        for item in table.fields:
            if item.name in columns:
                continue
            rng = stream(self.seed, f"{table.name} {wave} {school} {item.name}")
            drawn = known.get(item.name) or self._simulate_field_values(table, item, n, number, country, rng)
            there = asked(columns, item)
            columns[item.name] = [value if is_asked else None for value, is_asked in zip(drawn, there, strict=True)]
        if table.name in find_pupil_lists(self.protocol):
            self._lists.setdefault((table.name, school), columns)
        return columns

    def _simulate_field_values(
        self, table: Table, item: Field, n: int, wave_number: int, country: str, rng: np.random.Generator
    ) -> list[Cell]:
        if item.privacy == "direct" and item.type == "text":
            never = np.zeros(n, dtype=bool)
            return list(draw_names(country, rng.random(n) < 0.5, cyrillic=never, rng=rng))
        if table.about == "pupil" and item.name == "class":
            return [f"9.{'abc'[place % 3]}" for place in range(n)]
        return simulate_values(item, n, wave_number=wave_number, rng=rng)

    def _build_key_columns(self, table: Table, school: str, wave_number: int, country: str) -> Columns:
        """Return the columns that tell the rows of a school apart."""
        rng = stream(self.seed, f"size of {school}")
        n = int(rng.integers(*_PUPILS)) if table.about == "pupil" else 1
        pupils = (
            self._build_pupil_identifiers(table.field("pupil_id"), school, country)[:n]
            if table.about == "pupil"
            else [""]
        )
        further = [name for name in table.key if name not in ("school_id", "pupil_id")]
        each = [self._build_further_key_values(table.field(name), wave_number) for name in further]
        combined = [()] if not each else [tuple(values) for values in zip(*each, strict=True)]
        rows = [(pupil, *values) for pupil in pupils for values in combined]
        columns: Columns = {"school_id": [school] * len(rows)}
        if table.about == "pupil":
            columns["pupil_id"] = [row[0] for row in rows]
        for key_number, name in enumerate(further, start=1):
            columns[name] = [row[key_number] for row in rows]
        return columns

    def _build_pupil_identifiers(self, item: Field, school: str, country: str) -> list[str]:
        """Return identifiers for the pupils of a school, as they are declared and each given once in their scope."""
        most = _PUPILS[1]
        start = 0 if item.scope == "school" else self.places[school] * most
        if not item.pattern and not item.check_digits:
            return [f"{number:04d}" for number in range(start + 1, start + most + 1)]
        if country not in self._identifiers:
            n = most if item.scope == "school" else len(self.places) * most
            self._identifiers[country] = draw_identifiers(item, country, n, seed=f"pupils {self.seed}")
        return self._identifiers[country][start : start + most]

    def _build_further_key_values(self, item: Field, wave_number: int) -> list[Cell]:
        """Return the different values of a field of the key."""
        if item.type == "month":
            return [f"{FIRST_YEAR + wave_number}-{10 + place:02d}" for place in range(_MONTHS)]
        if item.codes:
            codes = [code.name for code in item.codes]
            return [codes[place % len(codes)] for place in range(min(_MONTHS, len(codes)))]
        rng = stream(self.seed, f"key {item.name}")
        drawn = simulate_values(replace(item, required=True), 20 * _MONTHS, wave_number=wave_number, rng=rng)
        return list(dict.fromkeys(drawn))[:_MONTHS]


def _index_schools(schools: pd.DataFrame) -> dict[str, int]:
    return {str(school): place for place, school in enumerate(schools["school_id"])}


def _iterate_school_countries(schools: pd.DataFrame) -> Iterator[tuple[object, object]]:
    yield from zip(schools["school_id"], schools["country"], strict=True)


def _translate_cells(item: Field, cells: list[Cell], catalogue: Catalogue) -> list[Cell]:
    """Return cells as a school of the country writes them: answers in its language."""
    words: dict[Cell, Cell] = dict(
        zip([code.name for code in item.codes], get_answer_labels(item, catalogue), strict=True)
    )
    return [words.get(cell, cell) if item.codes else cell for cell in cells]
