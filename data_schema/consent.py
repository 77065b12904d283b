"""Consent: which pupils' last answer is no, who has none, how many of each school, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_schema.findings import Finding, Severity

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.tables import Table

PUPIL = ["school_id", "pupil_id"]
REFUSED_COLUMNS = ("school_id", "table", "wave", "n_pupils", "n_rows", "n_listed")
_MANY = 0.5
"""Share of a school's pupils above which a refusal is more likely a column that was filled in the other way round."""


def find_refused_pupils(
    frames: Mapping[str, pd.DataFrame], *, tables: Mapping[str, Table], consent: str, waves: Sequence[str]
) -> frozenset[tuple[str, str]]:
    """Return the pupils whose last answer is no.

    Parameters
    ----------
    frames
        Table to its rows, with identifiers or with pseudonyms.
    tables
        The tables, by name.
    consent
        Name of the yes/no field that holds the answer, in whichever tables about pupils have it.
    waves
        Names of the waves, in their order. A table without waves is later than all; of two answers in one wave, no
        counts.

    Returns
    -------
    frozenset
        `school_id` and `pupil_id` of each.
    """
    import pandas as pd

    frames_with_refusal = [
        frame for frame in _select_consent_frames(frames, tables, consent) if frame[consent].eq(other=False).any()
    ]
    if not frames_with_refusal:
        return frozenset()
    once = frozenset(
        _iterate_pupil_keys(
            pd.concat([frame.loc[frame[consent].eq(other=False), PUPIL] for frame in frames_with_refusal])
        )
    )
    ids = {pupil for _, pupil in once}
    rank = {wave: position for position, wave in enumerate(waves)}
    last: dict[tuple[str, str], tuple[int, bool]] = {}
    for frame in _select_consent_frames(frames, tables, consent):
        asked = frame[consent].notna() & frame["pupil_id"].isin(ids)
        known = frame.loc[asked, [*PUPIL, "wave", consent]]
        for school, pupil, wave, answer in known.itertuples(index=False, name=None):
            if (school, pupil) in once:
                key = (rank.get(wave, len(rank)), not answer)
                last[school, pupil] = max(last.get((school, pupil), key), key)
    return frozenset(pupil for pupil, (_, is_no) in last.items() if is_no)


def find_unanswered_pupils(
    frames: Mapping[str, pd.DataFrame], *, tables: Mapping[str, Table], consent: str
) -> frozenset[tuple[str, str]]:
    """Return the pupils of whom no table has an answer, yes or no; see `find_refused_pupils`."""
    answered: set[tuple[str, str]] = set()
    for frame in _select_consent_frames(frames, tables, consent):
        answered.update(_iterate_pupil_keys(frame.loc[frame[consent].notna()]))
    everybody = {pupil for frame in frames.values() if "pupil_id" in frame for pupil in _iterate_pupil_keys(frame)}
    return frozenset(everybody - answered)


def count_refusals(frames: Mapping[str, pd.DataFrame], *, refused: frozenset[tuple[str, str]]) -> pd.DataFrame:
    """Count the pupils who refused, or who gave no answer, by school, table and wave.

    Returns
    -------
    pandas.DataFrame
        In the order of `REFUSED_COLUMNS`: pupils and rows of these pupils, and all pupils of the school in the
        table and wave; without rows where there are none.
    """
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    for name, frame in frames.items() if refused else ():
        if "pupil_id" not in frame or frame.empty:
            continue
        is_out = [pupil in refused for pupil in _iterate_pupil_keys(frame)]
        for (school, wave), part in frame.assign(_out=is_out).groupby(["school_id", "wave"], sort=True):
            out = part.loc[part["_out"], "pupil_id"]
            if len(out):
                rows.append((school, name, wave, out.nunique(), len(out), part["pupil_id"].nunique()))
    return pd.DataFrame(rows, columns=list(REFUSED_COLUMNS))


def remove_pupils(frames: Mapping[str, pd.DataFrame], pupils: frozenset[tuple[str, str]]) -> dict[str, pd.DataFrame]:
    """Return the tables without the rows of some pupils."""
    remaining_frames = {}
    for name, frame in frames.items():
        is_out = [pupil in pupils for pupil in _iterate_pupil_keys(frame)] if pupils and "pupil_id" in frame else []
        remaining_frames[name] = frame.loc[[not out for out in is_out]].reset_index(drop=True) if any(is_out) else frame
    return remaining_frames


def find_refusals(
    frames: Mapping[str, pd.DataFrame], *, tables: Mapping[str, Table], consent: str
) -> Iterator[Finding]:
    """Report each file how many of a school's pupils refuse; it is a question where they are more than half."""
    for frame in _select_consent_frames(frames, tables, consent):
        no = frame[consent].eq(other=False).fillna(value=False).astype(bool)
        for place, n, listed in _count_pupils_by_school(frame, no):
            severity: Severity = "question" if n > _MANY * listed else "note"
            remedy = "Nothing, if that is right."
            if severity == "question":
                remedy = "Check that the answers are meant so: yes is consent, no is refusal."
            problem = f"Consent is refused for {n} of the {listed} pupils of the school {place.school!r}."
            yield place.finding(consent, problem, remedy, severity)


def find_unanswered_consent(
    frames: Mapping[str, pd.DataFrame], *, tables: Mapping[str, Table], consent: str
) -> Iterator[Finding]:
    """Ask for the answers that are missing, file by file; of a file without any answer its column is asked for."""
    import pandas as pd

    pupils = find_unanswered_pupils(frames, tables=tables, consent=consent)
    for frame in _select_consent_frames(frames, tables, consent) if pupils else ():
        n_answers = frame.groupby(["source_file", "source_sheet"])[consent].transform("count")
        is_open = n_answers.gt(0) & frame[consent].isna()
        is_open &= pd.Series([pupil in pupils for pupil in _iterate_pupil_keys(frame)], index=frame.index)
        for place, n, listed in _count_pupils_by_school(frame, is_open):
            problem = f"No answer on consent for {n} of the {listed} pupils of the school {place.school!r}."
            remedy = "Write yes or no for each of them and send the file again; without an answer there is no consent."
            yield place.finding(consent, problem, remedy, "question")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A school's rows in a sheet, which may hold other schools' as well."""

    file: str
    sheet: str
    school: str
    is_shared: bool

    def finding(self, consent: str, problem: str, remedy: str, severity: Severity) -> Finding:
        # In a file of several schools the finding names its own, so that the question finds its way.
        return Finding(
            file=self.file,
            sheet=self.sheet,
            column="school_id" if self.is_shared else consent,
            value=self.school if self.is_shared else "",
            problem=problem,
            remedy=remedy,
            severity=severity,
        )


def _count_pupils_by_school(frame: pd.DataFrame, is_meant: pd.Series[bool]) -> Iterator[tuple[_Place, int, int]]:
    """Count by sheet and school the pupils who are meant, and all."""
    if not is_meant.any():
        return
    place = ["source_file", "source_sheet", "school_id"]
    rows_of_files = frame.loc[frame["source_file"].isin(set(frame.loc[is_meant, "source_file"])), [*place, "pupil_id"]]
    n_schools = rows_of_files.groupby(place[:2])["school_id"].nunique().to_dict()
    for (file, sheet, school), part in rows_of_files.assign(_meant=is_meant).groupby(place, sort=True):
        n, listed = part.loc[part["_meant"], "pupil_id"].nunique(), part["pupil_id"].nunique()
        if n:
            shared = n_schools[file, sheet] > 1
            yield _Place(file=str(file), sheet=str(sheet), school=str(school), is_shared=shared), n, listed


def _select_consent_frames(
    frames: Mapping[str, pd.DataFrame], tables: Mapping[str, Table], consent: str
) -> list[pd.DataFrame]:
    return [frame for name, frame in frames.items() if tables[name].about == "pupil" and consent in frame]


def _iterate_pupil_keys(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    return zip(frame["school_id"], frame["pupil_id"], strict=True)
