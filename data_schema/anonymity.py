"""k-anonymity of pupils' rows that leave: how many pupils are alike, and coarsening until enough are.

Pupils are alike when they have the same values of all quasi-identifiers: what a neighbour may know of a pupil, such as
school, class, year of birth and gender, which the tables declare (``privacy="quasi_identifier"``). k is the number of
pupils in the smallest group of pupils who are alike (Sweeney 2002, k-anonymity: a model for protecting privacy,
International Journal of Uncertainty, Fuzziness and Knowledge-Based Systems 10, 557-570).

Coarsening recodes a field for everybody where that helps most (numbers in bands of 2, 5 and 10, then not at all; other
fields not at all), until few pupils are in small groups; of these the quasi-identifiers are suppressed (Samarati 2001,
Protecting respondents' identities in microdata release, IEEE Transactions on Knowledge and Data Engineering 13,
1010-1027). School and country stay, by which files are joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data_schema.fields import NUMERIC_TYPES
from data_schema.tables import Table

PUPIL = ["school_id", "pupil_id"]
BANDS = (2, 5, 10)
"""Widths of the bands in which a number or year is given, the narrowest first."""

_FEW = 0.1
"""Share of pupils in small groups from which on fields are coarsened for everybody; fewer are suppressed one by one."""

Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quasi:
    """A quasi-identifier: a field of a table, and how coarsely it is given.

    ``band`` is the width of the bands of a number (1: as it is); ``is_left_out`` says that it is not given at all.
    """

    table: str
    field: str
    is_number: bool
    band: int = 1
    is_left_out: bool = False

    @property
    def coarser(self) -> Quasi | None:
        """The field one step coarser; None where it is left out already."""
        if self.is_left_out:
            return None
        wider = next((width for width in BANDS if width > self.band), None) if self.is_number else None
        return replace(self, is_left_out=True) if wider is None else replace(self, band=wider)

    def applied(self, values: pd.Series) -> pd.Series:
        """Return the values as they are given: those of a band as the least of it."""
        if self.is_left_out:
            return values.mask(np.ones(len(values), dtype=bool))
        if self.band == 1:
            return values
        band_minima: pd.Series = (values // self.band * self.band).astype(values.dtype)
        return band_minima


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymity:
    """How alike the pupils of some tables are.

    Parameters
    ----------
    k
        Pupils in the smallest group; 0 where there are none.
    n_pupils, n_groups
        Pupils, and groups of pupils who are alike.
    n_unique
        Pupils who are alike with nobody.
    fields
        The quasi-identifiers, as they are given.
    n_suppressed
        Pupils whose quasi-identifiers are suppressed.
    n_left_out, n_schools_left_out
        Pupils of schools with fewer than the wanted k, whose rows are left out, and these schools.
    """

    k: int
    n_pupils: int
    n_groups: int
    n_unique: int
    fields: tuple[Quasi, ...]
    n_suppressed: int = 0
    n_left_out: int = 0
    n_schools_left_out: int = 0


def find_quasi_identifiers(tables: Mapping[str, Table], frames: Frames) -> tuple[Quasi, ...]:
    """Return the quasi-identifiers of the tables about pupils that have rows, as they are stored."""
    return tuple(
        Quasi(table=name, field=item.name, is_number=item.type in NUMERIC_TYPES)
        for name, frame in frames.items()
        if set(PUPIL) <= set(frame) and len(frame)
        for item in tables[name].fields
        if item.privacy == "quasi_identifier" and item.name in frame
    )


def measure_anonymity(frames: Frames, fields: Sequence[Quasi]) -> Anonymity:
    """Return how alike the pupils of some tables are.

    Parameters
    ----------
    frames
        Table to its rows.
    fields
        The quasi-identifiers. School is always one as well.

    Examples
    --------
    >>> pupils = pd.DataFrame({"school_id": "S", "pupil_id": ["a", "b", "c"], "gender": ["girl", "girl", "boy"]})
    >>> gender = Quasi(table="pupil", field="gender", is_number=False)
    >>> found = measure_anonymity({"pupil": pupils}, [gender])
    >>> found.k, found.n_groups, found.n_unique
    (1, 2, 1)
    """
    sizes = _Known(frames).alike(fields)
    return Anonymity(
        k=int(sizes.min()) if len(sizes) else 0,
        n_pupils=len(sizes),
        n_groups=round(float((1 / sizes).sum())) if len(sizes) else 0,
        n_unique=int((sizes == 1).sum()),
        fields=tuple(fields),
    )


def ensure_k_anonymity(frames: Frames, fields: Sequence[Quasi], *, k: int) -> tuple[dict[str, pd.DataFrame], Anonymity]:
    """Return the tables with k pupils or more in each group of pupils who are alike, and what was done for it.

    Parameters
    ----------
    frames
        Table to its rows, of one country.
    fields
        The quasi-identifiers, as they are stored.
    k
        2 or more. Rows of pupils of schools with fewer than k are left out.
    """
    pupils = _collect_pupils(frames)
    out = pupils.loc[pupils.groupby("school_id")["pupil_id"].transform("size") < k]
    remaining_frames = {name: _remove_pupils(frame, out) for name, frame in frames.items()}
    known = _Known(remaining_frames)
    chosen = _restore_fields(known, _aggregate_fields(known, list(fields), k=k), fields, k=k)
    alone = _find_suppressed_pupils(known.table(chosen), k=k)
    done = {
        name: _suppress_pupil_values(_apply_quasi_identifiers(frame, name, chosen), name, chosen, alone)
        for name, frame in remaining_frames.items()
    }
    # What is given is looked at as it is, not as it was meant to be.
    anonymity = measure_anonymity(
        done, [replace(quasi_identifier, band=1, is_left_out=False) for quasi_identifier in chosen]
    )
    left_out = {"n_left_out": len(out), "n_schools_left_out": out["school_id"].nunique()}
    return done, replace(anonymity, fields=tuple(chosen), n_suppressed=len(alone), **left_out)


def _collect_pupils(frames: Frames) -> pd.DataFrame:
    of_pupils = [frame[PUPIL] for frame in frames.values() if set(PUPIL) <= set(frame) and len(frame)]
    return pd.concat(of_pupils).drop_duplicates() if of_pupils else pd.DataFrame(columns=PUPIL)


def _remove_pupils(frame: pd.DataFrame, out: pd.DataFrame) -> pd.DataFrame:
    if not set(PUPIL) <= set(frame) or out.empty:
        return frame
    gone = pd.MultiIndex.from_frame(out)
    return frame.loc[~pd.MultiIndex.from_frame(frame[PUPIL]).isin(gone)].reset_index(drop=True)


def _apply_quasi_identifiers(frame: pd.DataFrame, name: str, fields: Sequence[Quasi]) -> pd.DataFrame:
    """Return a table's rows with its quasi-identifiers as they are given."""
    return frame.assign(
        **{
            quasi_identifier.field: quasi_identifier.applied(frame[quasi_identifier.field])
            for quasi_identifier in fields
            if quasi_identifier.table == name
        }
    )


class _Known:
    """What is known of each pupil: the school, and for each quasi-identifier its values, in the order of waves."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._codes: dict[Quasi, pd.Series] = {}
        self.pupils = pd.MultiIndex.from_frame(_collect_pupils(frames))

    def table(self, fields: Sequence[Quasi]) -> pd.DataFrame:
        """Return a row per pupil and a column per quasi-identifier: a number that represents its values."""
        return pd.DataFrame(
            {
                str(column_number): self._encode_quasi_identifier(quasi_identifier)
                for column_number, quasi_identifier in enumerate(fields)
            },
            index=self.pupils,
        )

    def alike(self, fields: Sequence[Quasi]) -> pd.Series:
        """Return for each pupil how many of the school are alike, the pupil among them."""
        return _group_sizes(self.table(fields))

    def few(self, fields: Sequence[Quasi], k: int) -> float:
        """Return the share of pupils in groups of fewer than k."""
        sizes = self.alike(fields)
        return float((sizes < k).mean()) if len(sizes) else 0.0

    def _encode_quasi_identifier(self, one: Quasi) -> pd.Series:
        if one not in self._codes:
            frame = self._frames[one.table]
            frame = frame.sort_values([column for column in ("wave", "month") if column in frame], kind="stable")
            values = one.applied(frame[one.field])
            rows = pd.Series(values.astype(object).to_numpy(), index=pd.MultiIndex.from_frame(frame[PUPIL]))
            known = rows[values.notna().to_numpy()].map(str)
            values_by_pupil = known.groupby(level=[0, 1]).agg(lambda said: "|".join(dict.fromkeys(said)))
            codes, _ = pd.factorize(values_by_pupil.reindex(self.pupils).fillna(""))
            self._codes[one] = pd.Series(codes, index=self.pupils)
        return self._codes[one]


def _group_sizes(table: pd.DataFrame) -> pd.Series:
    keys = [table.index.get_level_values(0), *(table[column].to_numpy() for column in table)]
    return pd.Series(1, index=table.index).groupby(keys).transform("size")


def _aggregate_fields(known: _Known, fields: list[Quasi], *, k: int) -> list[Quasi]:
    """Coarsen the field that leaves fewest pupils in small groups, until they are few."""
    while known.few(fields, k) > _FEW:
        options = [
            [*fields[:index], coarser, *fields[index + 1 :]]
            for index, quasi_identifier in enumerate(fields)
            if (coarser := quasi_identifier.coarser) is not None
        ]
        if not options:
            break
        fields = min(options, key=lambda option: known.few(option, k))
    return fields


def _restore_fields(known: _Known, fields: list[Quasi], stored: Sequence[Quasi], *, k: int) -> list[Quasi]:
    """Give fields as finely again as leaves pupils in small groups few: what was coarsened for nothing."""
    for index, finest in enumerate(stored):
        option: Quasi | None = finest
        while option is not None and option != fields[index]:
            tried = [*fields[:index], option, *fields[index + 1 :]]
            if known.few(tried, k) <= _FEW:
                fields = tried
                break
            option = option.coarser
    return fields


def _find_suppressed_pupils(table: pd.DataFrame, *, k: int) -> pd.MultiIndex:
    """Return the pupils whose quasi-identifiers are suppressed: those of small groups, and k or nobody in a school."""
    chosen: list[tuple[str, str]] = []
    columns = [str(column) for column in table]
    for _, of_school in table.assign(size=_group_sizes(table)).groupby(level=0, sort=True):
        ranked = of_school.sort_values(["size", *columns], kind="stable")
        alike = list(ranked[columns].itertuples(index=False, name=None))
        n = int((ranked["size"] < k).sum())
        # Whole groups, the smallest first, until those who are suppressed are k and so alike themselves.
        while 0 < n < k or (0 < n < len(ranked) and alike[n] == alike[n - 1]):
            n += 1
        chosen += list(ranked.index[:n])
    return pd.MultiIndex.from_tuples(chosen, names=PUPIL)


def _suppress_pupil_values(
    frame: pd.DataFrame, name: str, fields: Sequence[Quasi], alone: pd.MultiIndex
) -> pd.DataFrame:
    fields_of_table = [quasi_identifier.field for quasi_identifier in fields if quasi_identifier.table == name]
    if not fields_of_table or not len(alone):
        return frame
    hit = pd.MultiIndex.from_frame(frame[PUPIL]).isin(alone)
    return frame.assign(**{field: frame[field].mask(hit) for field in fields_of_table})
