"""Pupils across waves whose identifier is not the same: candidates scored, certain ones linked, others asked about.

Works on names, so it runs within intake, before pseudonyms; what it tells holds places, never names.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

from data_schema.findings import Finding, compute_sheet_row
from data_schema.words import normalise_plain_texts, normalise_plain_word

if TYPE_CHECKING:
    import pandas as pd

LINK_COLUMNS = (
    "file", "sheet", "row", "wave", "school_id", "first_file", "first_sheet", "first_row", "first_school_id", "score",
    "status",
)  # fmt: skip
_LEAST_NAME = 0.85
_SURE_NAME = 0.92
_MARGIN = 0.05

Place = tuple[str, str, int]
Record = dict[Hashable, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Two records that may be of one pupil.

    Parameters
    ----------
    new, old
        Positions in the lists of the later and of earlier waves.
    score
        0 to 1: likeness of the names, less where traits contradict.
    is_sure
        Whether nothing but one pupil is plausible: names alike to a letter or two, the same date of birth, and no
        other candidate near.
    """

    new: int
    old: int
    score: float
    is_sure: bool


def compute_likeness(one: str, other: str) -> float:
    """Return how alike two names are, 0 to 1, whatever their script, their accents and the order of their parts.

    Examples
    --------
    >>> compute_likeness("Jovanović Ana", "Ана Јовановић"), compute_likeness("Kiss Anna", "Nagy Bence") < 0.5
    (1.0, True)
    """
    from rapidfuzz import fuzz

    return float(fuzz.token_sort_ratio(normalise_plain_word(one), normalise_plain_word(other))) / 100


def find_candidates(new: pd.DataFrame, old: pd.DataFrame) -> list[Candidate]:
    """Compare records of a later list with those of earlier ones.

    Parameters
    ----------
    new, old
        `name` and, where they are known, `birth_date`, `birth_year`, `gender`, `class`.

    Returns
    -------
    list of Candidate
        For each new record its plausible old ones, the best first: alike in name, and of the same date or year of birth
        where both have one.
    """
    blocks: dict[object, list[int]] = {}
    old_rows, new_rows = old.to_dict("records"), new.to_dict("records")
    for row_index, row in enumerate(old_rows):
        blocks.setdefault(_get_birth_year(row), []).append(row_index)
    scored_pairs: list[Candidate] = []
    for row_index, row in enumerate(new_rows):
        year = _get_birth_year(row)
        pool = [*blocks.get(year, ()), *(blocks.get(None, ()) if year is not None else ())]
        pool = list(range(len(old_rows))) if year is None else pool
        scored = sorted(((_score(row, old_rows[k]), k) for k in pool), key=lambda pair: (-pair[0], pair[1]))
        scored = [(score, k) for score, k in scored if score >= _LEAST_NAME]
        for rank, (score, k) in enumerate(scored):
            rivals = [other for other, other_k in scored if other_k != k]
            is_sure = (
                rank == 0 and _is_sure(row, old_rows[k], score) and all(other < score - _MARGIN for other in rivals)
            )
            scored_pairs.append(Candidate(new=row_index, old=k, score=round(score, 3), is_sure=is_sure))
    return _select_one_to_one(scored_pairs)


def _select_one_to_one(found: list[Candidate]) -> list[Candidate]:
    """Two records that would both surely be one old pupil are neither."""
    claims: dict[int, int] = {}
    for claimant in found:
        claims[claimant.old] = claims.get(claimant.old, 0) + 1
    return [
        candidate
        if not candidate.is_sure or claims[candidate.old] == 1
        else Candidate(new=candidate.new, old=candidate.old, score=candidate.score, is_sure=False)
        for candidate in found
    ]


def _get_birth_year(row: Mapping[Hashable, object]) -> object:
    day = _get_known_value(row, "birth_date")
    if day is not None:
        return int(str(day)[:4])
    year = _get_known_value(row, "birth_year")
    return None if year is None else int(str(year))


def _get_known_value(row: Mapping[Hashable, object], name: Hashable) -> object:
    value = row.get(name)
    # Missing values of every kind differ from themselves or are pandas.NA.
    return None if value is None or str(value) in ("nan", "NaT", "<NA>") else value


def _score(new: Mapping[Hashable, object], old: Mapping[Hashable, object]) -> float:
    score = compute_likeness(str(_get_known_value(new, "name") or ""), str(_get_known_value(old, "name") or ""))
    days = _get_known_value(new, "birth_date"), _get_known_value(old, "birth_date")
    if None not in days and days[0] != days[1]:
        score -= 0.15
    genders = _get_known_value(new, "gender"), _get_known_value(old, "gender")
    if None not in genders and genders[0] != genders[1]:
        score -= 0.1
    return score


def _is_sure(new: Mapping[Hashable, object], old: Mapping[Hashable, object], score: float) -> bool:
    days = _get_known_value(new, "birth_date"), _get_known_value(old, "birth_date")
    return score >= _SURE_NAME and None not in days and days[0] == days[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """Tables with pupils followed across waves.

    Parameters
    ----------
    frames
        The tables; records of a linked pupil have the school and the identifier of the pupil's first list.
    links
        In the order of `LINK_COLUMNS`: what was linked, and what is asked. Without names and identifiers.
    findings
        A question for each record that may be an earlier pupil's, and a note for each that was linked.
    """

    frames: Mapping[str, pd.DataFrame]
    links: pd.DataFrame
    findings: tuple[Finding, ...]


def link_pupils(
    frames: Mapping[str, pd.DataFrame],
    *,
    listed: str = "pupil",
    waves: Sequence[str],
    confirmed: Collection[Place] = (),
) -> Linked:
    """Follow pupils across waves and between the schools of the trial.

    Parameters
    ----------
    frames
        As intake makes them, with names; not changed.
    listed
        Name of the table that says who the pupils of a school are.
    waves
        Names of the waves, in their order.
    confirmed
        File, sheet and row of records that a school has said to be the earlier pupil's.

    Returns
    -------
    Linked
        Compared are pupils of a later list whose identifier no earlier list of their school has, with pupils of earlier
        lists whose identifier the later lists do not have.
    """
    import pandas as pd

    pupils = frames.get(listed)
    rows: list[tuple[object, ...]] = []
    findings: list[Finding] = []
    renamed: dict[tuple[str, str], tuple[str, str]] = {}
    since: dict[tuple[str, str], int] = {}
    if pupils is not None and "name" in pupils and len(pupils):
        for position, wave in enumerate(waves[1:], start=1):
            new, old = _split_unmatched_pupils(pupils, wave, waves[:position], renamed)
            for candidate in find_candidates(new, old):
                later, first = new.iloc[candidate.new], old.iloc[candidate.old]
                place = (str(later["source_file"]), str(later["source_sheet"]), int(later["source_row"]))
                status = "certain" if candidate.is_sure else "confirmed" if place in confirmed else "asked"
                key = (str(later["school_id"]), str(later["pupil_id"]))
                if status != "asked" and key not in renamed:
                    renamed[key] = (str(first["school_id"]), str(first["pupil_id"]))
                    since[key] = position
                rows.append(_build_link_row(later, first, candidate.score, status))
                findings.append(_build_link_finding(later, first, status))
    links = pd.DataFrame(rows, columns=list(LINK_COLUMNS))
    changed = (
        {name: _apply_first_identifiers(frame, renamed, since, waves) for name, frame in frames.items()}
        if renamed
        else frames
    )
    return Linked(frames=changed, links=links, findings=tuple(findings))


def _split_unmatched_pupils(
    pupils: pd.DataFrame, wave: str, before: Sequence[str], renamed: Mapping[tuple[str, str], object]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return pupils who are new in a wave, and earlier ones who are not in it."""
    keys = list(zip(pupils["school_id"], pupils["pupil_id"], strict=True))
    in_wave, is_before = (pupils["wave"] == wave).tolist(), pupils["wave"].isin(before).tolist()
    has_name = pupils["name"].notna().tolist()
    earlier = {key for key, there in zip(keys, is_before, strict=True) if there}
    later = {key for key, there in zip(keys, in_wave, strict=True) if there}
    is_new = [
        there and named and key not in earlier and key not in renamed
        for key, there, named in zip(keys, in_wave, has_name, strict=True)
    ]
    is_old = [there and named and key not in later for key, there, named in zip(keys, is_before, has_name, strict=True)]
    return pupils.loc[is_new], pupils.loc[is_old].drop_duplicates(["school_id", "pupil_id"])


def _build_link_row(later: pd.Series, first: pd.Series, score: float, status: str) -> tuple[object, ...]:
    where = (later["source_file"], later["source_sheet"], int(later["source_row"]), later["wave"], later["school_id"])
    was = (first["source_file"], first["source_sheet"], int(first["source_row"]), first["school_id"])
    return (*where, *was, score, status)


def _build_link_finding(later: pd.Series, first: pd.Series, status: str) -> Finding:
    place = f"{first['source_file']}, row {compute_sheet_row(int(first['source_row']))}"
    if status == "asked":
        problem = f"This may be the pupil of an earlier list under another identifier: {place}."
        remedy = "Answer 'yes' if it is, or send the right identifier."
    else:
        moved = later["school_id"] != first["school_id"]
        problem = f"This is the pupil of an earlier list under another identifier: {place}; the two are linked."
        remedy = "Nothing: the pupil counts for the first school." if moved else "Nothing."
    return Finding(
        file=str(later["source_file"]),
        sheet=str(later["source_sheet"]),
        row=int(later["source_row"]),
        column="pupil_id",
        problem=problem,
        remedy=remedy,
        severity="question" if status == "asked" else "note",
    )


def _apply_first_identifiers(
    frame: pd.DataFrame,
    renamed: Mapping[tuple[str, str], tuple[str, str]],
    since: Mapping[tuple[str, str], int],
    waves: Sequence[str],
) -> pd.DataFrame:
    """Give linked pupils the identifier of their first list, unless that has a record of its own in the wave."""
    if "pupil_id" not in frame or frame.empty:
        return frame
    order = {wave: position for position, wave in enumerate(waves)}
    keys = list(zip(frame["school_id"], frame["pupil_id"], frame["wave"], strict=True))
    there = set(keys)
    first_keys = [_find_first_identifier(key, renamed, since, order, there) for key in keys]
    changed = frame.copy()
    changed["school_id"] = [school for school, _ in first_keys]
    changed["pupil_id"] = [pupil for _, pupil in first_keys]
    return changed.astype({name: frame[name].dtype for name in ("school_id", "pupil_id")})


def _find_first_identifier(
    key: tuple[str, str, str],
    renamed: Mapping[tuple[str, str], tuple[str, str]],
    since: Mapping[tuple[str, str], int],
    order: Mapping[str, int],
    there: Collection[tuple[str, str, str]],
) -> tuple[str, str]:
    school, pupil, wave = key
    first = renamed.get((school, pupil))
    is_later = first is not None and order.get(wave, -1) >= since[school, pupil]
    return first if first is not None and is_later and (*first, wave) not in there else (school, pupil)


def find_namesakes_elsewhere(pupils: pd.DataFrame) -> Iterator[Finding]:
    """Report pupils who are in the lists of two schools in one wave, by name and date or year of birth.

    Parameters
    ----------
    pupils
        The table of pupils, with names.

    Yields
    ------
    Finding
        A question where nothing else speaks for two people: the identifier, the date of birth or everything else that
        the lists say is the same; a note otherwise, because many people have one name.
    """
    born = next((name for name in ("birth_date", "birth_year") if name in pupils), None)
    if born is None or "name" not in pupils or pupils["school_id"].nunique() < 2:
        return
    is_known = (pupils["name"].notna() & pupils[born].notna()).to_numpy(dtype=bool)
    # Only what is compared: whole records of all pupils would take longer than everything else here.
    compared = pupils.loc[is_known, ["name", born, "wave"]]
    names = [" ".join(sorted(name.split())) for name in normalise_plain_texts(compared["name"].tolist())]
    is_double = compared.assign(name=names).duplicated(keep=False).to_numpy(dtype=bool)
    if not is_double.any():
        return
    # Plain records: pandas takes longer to hand out one cell than to find all doubles.
    doubled: list[Record] = pupils.loc[is_known].loc[is_double].to_dict("records")
    groups: dict[tuple[object, ...], list[Record]] = {}
    for name, pupil_record in zip(compress(names, is_double.tolist()), doubled, strict=True):
        groups.setdefault((name, pupil_record[born], pupil_record["wave"]), []).append(pupil_record)
    for group in groups.values():
        if len({group_record["school_id"] for group_record in group}) > 1:
            yield from (_build_double_finding(group_record, group) for group_record in group)


def _build_double_finding(one: Record, group: Sequence[Record]) -> Finding:
    other = next(record for record in group if record["school_id"] != one["school_id"])
    return Finding(
        file=str(one["source_file"]),
        sheet=str(one["source_sheet"]),
        row=int(one["source_row"]),
        column="pupil_id",
        problem=f"A pupil of the same name and birth is listed by another school: {other['source_file']}, "
        f"row {compute_sheet_row(int(other['source_row']))}.",
        remedy="Answer 'yes' if they are two; otherwise remove the pupil from one list.",
        severity="question" if _is_one(one, other) else "note",
    )


def _is_one(one: Record, other: Record) -> bool:
    """Whether two records of one name and year of birth are surely worth a question."""
    if one["pupil_id"] == other["pupil_id"] or "birth_date" in one:
        return True
    known_fields = [
        name
        for name in one
        if name not in _APART and None not in (_get_known_value(one, name), _get_known_value(other, name))
    ]
    return len(known_fields) >= _LEAST_TOLD and all(one[name] == other[name] for name in known_fields)


_APART = frozenset(
    "school_id pupil_id name class country wave source_file source_sheet source_row birth_year consent _name".split()  # noqa: SIM905 -- a list of words
)
_LEAST_TOLD = 3
