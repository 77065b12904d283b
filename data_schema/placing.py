"""Rows of a table that are in the wrong file, or were copied: asked about, and kept out until answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from data_schema.checks import Outcome, RowProblem
from data_schema.columns import Column, Draft, Part, compute_meaning_numbers
from data_schema.findings import Finding
from data_schema.named_schools import NamedSchools, find_strangers
from data_schema.sources import is_same_class, iterate_row_classes
from data_schema.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of a trial beside its files.

    Parameters
    ----------
    schools
        School to its country.
    waves
        Names of the waves, in their order.
    lists
        Names of the tables that say who the pupils of a school are.
    confirmed
        File, sheet, row (0 for the whole file) and column of what schools have said to be right.
    """

    schools: Mapping[str, str]
    waves: Sequence[str] = ()
    lists: Collection[str] = ("pupil",)
    confirmed: frozenset[tuple[str, str, int, str]] = field(default_factory=frozenset)

    def is_confirmed(self, part: Part) -> bool:
        """Whether a school has said that a file is right as a whole."""
        return (part.layout.sheet.file, part.layout.sheet.sheet, 0, "") in self.confirmed


def find_misplaced_rows(
    made: Draft, columns: Mapping[str, Column], kept: np.ndarray, setting: Setting
) -> Iterator[RowProblem]:
    """Ask about rows of another school than their file is named for, or of another country than its folder's.

    Parameters
    ----------
    made
        The table's cells.
    columns
        Field to its cells, schools as the frame has them.
    kept
        Positions of the rows that are kept so far.
    setting
        Schools of the trial.
    """
    column = columns["school_id"]
    named = NamedSchools(setting.schools)
    width = len(column.meanings) + 1
    pairs = made.part_of[kept] * width + column.codes[kept]
    codes_of: dict[int, list[int]] = {}
    for pair in np.unique(pairs).tolist():
        part_at, code = divmod(pair, width)
        if column.meanings[code] in setting.schools:
            codes_of.setdefault(part_at, []).append(code)
    for part_at, codes in codes_of.items():
        part, present = made.parts[part_at], {column.meanings[code] for code in codes}
        schools_of_file = frozenset({part.school}) if part.school else named.of(part.layout.sheet.file)
        others = find_strangers(present, schools_of_file)
        for code in codes:
            problem_text, outcome = _judge_school_rows(column.meanings[code], schools_of_file, others, part, setting)
            if not problem_text:
                continue
            for position in kept[pairs == part_at * width + code].tolist():
                place = (part.layout.sheet.file, part.layout.sheet.sheet, int(made.rows[position]), "school_id")
                if place not in setting.confirmed:
                    yield RowProblem(
                        position=position,
                        column="school_id",
                        value=column.meanings[code],
                        problem=problem_text,
                        remedy="Give the right identifier of the school, or answer 'yes' if this one is right.",
                        outcome=outcome,
                    )


def _judge_school_rows(
    school: str, own: Collection[str], others: Collection[str], part: Part, setting: Setting
) -> tuple[str, Outcome]:
    """Return what to ask about a school's rows in a file, and what becomes of them; "" when nothing speaks against."""
    if school in others:
        named = " or ".join(map(repr, sorted(own)))
        return f"The file is that of the school {named}, and the row is of {{value}}.", "asked"
    country = setting.schools[school]
    if part.country and not part.school and country and country != part.country:
        # Which country it is of follows from the school: rows in the wrong folder are no other country's data.
        return f"The file lies with those of {part.country!r}, and {{value}} is a school of {country!r}.", "kept"
    return "", "kept"


def find_rows_of_other_classes(made: Draft, columns: Mapping[str, Column], setting: Setting) -> Iterator[RowProblem]:
    """Ask about rows whose class is stated elsewhere than in a column, and not at all, or otherwise than in the column.

    Parameters
    ----------
    made, columns, setting
        As for `find_misplaced_rows`.
    """
    for position, stated_class in iterate_row_classes([part.layout for part in made.parts]):
        column, part = columns["class"], made.parts[made.part_of[position]]
        value = column.meanings[column.codes[position]]
        place = (part.layout.sheet.file, part.layout.sheet.sheet, int(made.rows[position]), "class")
        if place in setting.confirmed or (
            isinstance(value, str) and stated_class is not None and is_same_class(value, stated_class)
        ):
            continue
        if value is None and stated_class is None:
            problem = "No heading of a class stands above the row, and its class is taken from there."
        elif value is None or stated_class is None:
            continue
        else:
            problem = f"{{value}} is not the class that is stated elsewhere, {stated_class!r}."
        yield RowProblem(
            position=position,
            column="class",
            value=value if isinstance(value, str) else "",
            problem=problem,
            remedy="Give the right class, or answer 'yes' if this one is right.",
            outcome="kept",
        )


def find_copied_records(
    made: Draft, columns: Mapping[str, Column], kept: np.ndarray, setting: Setting
) -> tuple[list[int], list[Finding]]:
    """Find records that are copies of those of another wave or of another school.

    Parameters
    ----------
    made, columns, kept, setting
        As for `find_misplaced_rows`.

    Returns
    -------
    tuple
        Positions of the rows that are kept out until their school has answered; and a question for each file.
    """
    of_bytes = _match_same_content(made.parts, setting)
    free = kept[~np.isin(made.part_of[kept], list(of_bytes))] if of_bytes else kept
    findings: dict[int, Finding] = {}
    out: list[int] = []
    is_list = made.table.name in setting.lists
    for part_at, source in of_bytes.items():
        # Who goes to a school may well be the same in two waves; what pupils answered is not.
        findings[part_at] = _build_copy_question(
            made.parts[part_at], _SAME_LIST if is_list else _SAME, source=made.parts[source]
        )
        out += [] if is_list else kept[made.part_of[kept] == part_at].tolist()
    for copy, source_at in _iterate_copies_of_waves(made, columns, free, setting):
        _take(copy, source_at, _OTHER_WAVE, made, findings, out)
    remaining_rows = free[~np.isin(free, out)] if out else free
    for copy, source_at in _iterate_copies_of_schools(made, columns, remaining_rows, setting):
        _take(copy, source_at, _OTHER_SCHOOL, made, findings, out)
    return out, list(findings.values())


_SAME = "The file is the same as {file}, which is of the wave {wave!r}; its rows are kept out."
_SAME_LIST = "The file is the same as {file}, which is of the wave {wave!r}; one of the two may lie in the wrong place."
_OTHER_WAVE = "{n} of its {all} rows say in every cell what {file} says in the wave {wave!r}; they are kept out."
_OTHER_SCHOOL = "{n} of its {all} rows say in every cell what {file} says of another school; they are kept out."


def _take(copy: Copy, source_at: int, said: str, made: Draft, findings: dict[int, Finding], out: list[int]) -> None:
    for part_at, positions in split_positions_by_part(copy.positions, made.part_of):
        part = made.parts[part_at]
        findings.setdefault(
            part_at,
            _build_copy_question(
                part, said, source=made.parts[source_at], n=len(positions), n_all=len(part.layout.rows)
            ),
        )
        out += positions


def _build_copy_question(part: Part, said: str, *, source: Part, n: int = 0, n_all: int = 0) -> Finding:
    problem_text = said.format(file=source.layout.sheet.file, wave=source.wave, n=n, all=n_all)
    return Finding(
        file=part.layout.sheet.file,
        sheet=part.layout.sheet.sheet,
        problem=problem_text,
        remedy="Send the file that belongs here, or answer 'yes' if it is right as it stands.",
        severity="question",
    )


def _match_same_content(parts: Sequence[Part], setting: Setting) -> dict[int, int]:
    """Return the sheets whose content is that of an earlier wave's sheet, with where that stands."""
    rank = {wave: position for position, wave in enumerate(setting.waves)}
    order = sorted(range(len(parts)), key=lambda at: (rank.get(parts[at].wave, -1), at))
    first: dict[tuple[str, str], int] = {}
    source_by_part: dict[int, int] = {}
    for part_at in order:
        part = parts[part_at]
        if not part.sha256 or not part.wave:
            continue
        source = first.setdefault((part.sha256, part.layout.sheet.sheet), part_at)
        # Columns of one sheet may represent waves.
        is_other_file = parts[source].layout.sheet.file != part.layout.sheet.file
        if is_other_file and parts[source].wave != part.wave and not setting.is_confirmed(part):
            source_by_part[part_at] = source
    return source_by_part


def _iterate_copies_of_waves(
    made: Draft, columns: Mapping[str, Column], kept: np.ndarray, setting: Setting
) -> Iterator[tuple[Copy, int]]:
    """Yield sheets that say what a sheet of an earlier wave says of the same pupils."""
    waves = list(dict.fromkeys(part.wave for part in made.parts))
    if len(waves) < 2 or made.table.name in setting.lists or made.table.about != "pupil":
        return
    rank = {wave: position for position, wave in enumerate(setting.waves)}
    who = compute_meaning_numbers([columns[name] for name in made.table.key], kept)
    apart = np.array([waves.index(part.wave) for part in made.parts])
    ranks = [rank.get(part.wave, -1) for part in made.parts]
    group = made.part_of[kept]
    for copy in find_copies(who, _compute_content_numbers(made.table, columns, kept), group, apart, ranks):
        if not setting.is_confirmed(made.parts[copy.group]):
            yield _convert_copy_positions(copy, kept), copy.source


def _iterate_copies_of_schools(
    made: Draft, columns: Mapping[str, Column], kept: np.ndarray, setting: Setting
) -> Iterator[tuple[Copy, int]]:
    """Yield rows of a school that say what another school's rows say, of the same identifiers or in the same order."""
    import pandas as pd

    if made.table.name in setting.lists or made.table.about != "pupil" or not len(kept):
        return
    waves = list(dict.fromkeys(part.wave for part in made.parts))
    wave_of = np.array([waves.index(part.wave) for part in made.parts])[made.part_of[kept]]
    school = compute_meaning_numbers([columns["school_id"]], kept)
    group, distinct = pd.factorize(made.part_of[kept] * (int(school.max()) + 1) + school)
    if len(distinct) < 2:
        return
    apart = school[np.unique(group, return_index=True)[1]]
    answer_codes = _compute_content_numbers(made.table, columns, kept)
    names = [name for name in made.table.key if name != "school_id"]
    copied_groups: set[int] = set()
    in_order = pd.Series(group).groupby(group).cumcount().to_numpy() * len(waves) + wave_of
    for who in (compute_meaning_numbers([columns[name] for name in names], kept, first=wave_of), in_order):
        for copy in find_copies(who, answer_codes, group, apart, [0] * len(distinct)):
            part_at = int(made.part_of[kept][copy.positions[0]])
            source_at = int(distinct[copy.source]) // (int(school.max()) + 1)
            if copy.group not in copied_groups and not setting.is_confirmed(made.parts[part_at]):
                copied_groups.add(copy.group)
                yield _convert_copy_positions(copy, kept), source_at


def _convert_copy_positions(copy: Copy, kept: np.ndarray) -> Copy:
    """Return a copy with the positions of its records among all rows."""
    positions = tuple(int(position) for position in kept[list(copy.positions)])
    return Copy(group=copy.group, source=copy.source, positions=positions, n_records=copy.n_records)


def _compute_content_numbers(table: Table, columns: Mapping[str, Column], kept: np.ndarray) -> np.ndarray:
    """Return a number for what each row says beside whom it is about; -1 where it says nothing."""
    answer_columns = [columns[item.name] for item in table.fields if item.name not in table.key and not item.is_private]
    if not answer_columns:
        return np.full(len(kept), -1)
    is_silent = np.logical_and.reduce([column.is_missing()[kept] for column in answer_columns])
    return np.where(is_silent, -1, compute_meaning_numbers(answer_columns, kept))


_LEAST_COPIED = 5
_SHARE_COPIED = 0.9
_N_ELSEWHERE = 5
"""Records that so many others are like say little: what they share is what most pupils answer."""

_BY_CHANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Records that say in every cell what other records say.

    Parameters
    ----------
    group
        The group of records, by its number.
    source
        The group that they are like.
    positions
        Which of the group's records are like one of the source.
    n_records
        How many records the group has.
    """

    group: int
    source: int
    positions: tuple[int, ...]
    n_records: int


def find_copies(
    who: np.ndarray, said: np.ndarray, group: np.ndarray, apart: np.ndarray, rank: Sequence[int]
) -> list[Copy]:
    """Find groups of records that are nearly all like those of another group.

    Parameters
    ----------
    who, said
        A number for whom each record is about, and one for what it says; -1 where it says nothing. Shape (n,).
    group
        The group of each record, numbered from 0. Shape (n,).
    apart
        For each group what must differ for two to be compared, such as its wave.
    rank
        For each group its place in the order in which the first is taken for the source.

    Returns
    -------
    list of Copy
        Each group of which nine in ten records, five at least, say the same of the same as one other group, when that
        would happen by chance less often than once in a million such inboxes: records of which everybody's say the
        same prove nothing, nor do those that say what the one before them says, as in a list sorted by its answers.
    """
    import pandas as pd

    meant = np.flatnonzero(said >= 0)
    if len(meant) < 2 * _LEAST_COPIED:
        return []
    both = pd.factorize(who[meant] * (int(said.max()) + 2) + said[meant])[0]
    doubled = pd.Series(both).duplicated(keep=False).to_numpy()
    if not doubled.any():
        return []
    at_place: dict[int, list[int]] = defaultdict(list)
    for number, position in zip(both[doubled].tolist(), meant[doubled].tolist(), strict=True):
        at_place[number].append(position)
    like = _pair_similar_groups(at_place, group, apart, rank)
    sizes = Counter(group[meant].tolist())
    records_by_group = {
        group_number: frozenset(both[group[meant] == group_number].tolist())
        for group_number in {group_number for pair in like for group_number in pair}
    }
    chances = {
        later_group: _compute_chance_agreement(said[meant][group[meant] == later_group])
        for later_group in {later for later, _ in like}
    }
    telling = _mark_telling_records(said, group, meant)
    copies_by_group: dict[int, Copy] = {}
    for (later, source), positions in sorted(like.items()):
        # What many groups say alike is left out of the pairs; a copy says that, too, as its source does.
        n_alike = len(records_by_group[later] & records_by_group[source])
        is_copied = len(positions) >= _LEAST_COPIED and n_alike >= _SHARE_COPIED * sizes[later]
        n_telling = int(telling[positions].sum())
        is_chance = chances[later] ** n_telling * len(sizes) ** 2 >= _BY_CHANCE
        if is_copied and not is_chance and later not in copies_by_group:
            copies_by_group[later] = Copy(
                group=later, source=source, positions=tuple(positions), n_records=sizes[later]
            )
    return list(copies_by_group.values())


def _pair_similar_groups(
    at_place: Mapping[int, Sequence[int]], group: np.ndarray, apart: np.ndarray, rank: Sequence[int]
) -> dict[tuple[int, int], list[int]]:
    """Return, by group and the earlier one that it is like, the records that are, but for those like too many."""
    like: dict[tuple[int, int], list[int]] = defaultdict(list)
    for positions in at_place.values():
        groups = {int(group[position]): position for position in positions}
        if len(groups) > _N_ELSEWHERE:
            continue
        for later, position in groups.items():
            for source in groups:
                if apart[source] != apart[later] and (rank[source], source) < (rank[later], later):
                    like[later, source].append(position)
    return like


def _mark_telling_records(said: np.ndarray, group: np.ndarray, meant: np.ndarray) -> np.ndarray:
    """Return which records say something else than the record before them in their group; shape (n,)."""
    telling = np.zeros(len(said), dtype=bool)
    in_order = meant[np.argsort(group[meant], kind="stable")]
    is_first = np.r_[True, group[in_order][1:] != group[in_order][:-1]]
    telling[in_order] = is_first | np.r_[True, said[in_order][1:] != said[in_order][:-1]]
    return telling


def _compute_chance_agreement(said: np.ndarray) -> float:
    """Return how often two of the records would say the same if who says what were a matter of chance."""
    _, counts = np.unique(said, return_counts=True)
    return float(np.sum((counts / counts.sum()) ** 2))


def split_positions_by_part(positions: Sequence[int], parts: np.ndarray) -> Iterator[tuple[int, list[int]]]:
    """Yield each part with the positions of its records, in the order of parts."""
    by_part: dict[int, list[int]] = defaultdict(list)
    for position in positions:
        by_part[int(parts[position])].append(position)
    yield from sorted(by_part.items())
