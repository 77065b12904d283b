"""Status records of pupils to the time that each was enrolled and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_schema.errors import EstimationError

ENDINGS = ("left_early", "transferred", "completed")
_KNOWN = (*ENDINGS, "enrolled", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """Time enrolled and status at its end, a row a pupil.

    Parameters
    ----------
    times
        Columns of school and pupil, ``time`` (days since the start, NaN when it cannot be known), ``status`` and
        ``problem`` (empty when there is none).
    """

    times: pd.DataFrame

    def problems(self) -> pd.DataFrame:
        """Return how many pupils have each problem: columns ``problem`` and ``n_pupils``."""
        found = self.times.loc[self.times["problem"] != "", "problem"].value_counts(sort=False).sort_index()
        return pd.DataFrame({"problem": found.index.to_numpy(dtype=object), "n_pupils": found.to_numpy(dtype=int)})


def leaving_times(
    status: pd.DataFrame,
    *,
    start: pd.Timestamp,
    end: pd.Timestamp | Mapping[str, pd.Timestamp],
    school: str = "school_id",
    pupil: str = "pupil_id",
    country: str = "country",
) -> Histories:
    """Turn status records into times.

    Parameters
    ----------
    status
        One row a pupil and wave, as schools send them: ``status`` (enrolled, transferred, completed, left_early,
        unknown) and ``status_date``, in the order of the waves.
    start
        Day from which time is counted.
    end
        Last day of follow-up, the same for all or by country.
    school, pupil, country
        Columns; the country is needed when ``end`` is by country.

    Returns
    -------
    Histories
        A pupil who is enrolled to the end has the time to the end. Without a time, and with a ``problem``: who left
        before the start; who left without a date; whose records contradict each other (two endings, or enrolled after
        an ending); of whom nothing is known (status "unknown" is neither leaving nor staying). An ending after the last
        day of follow-up is enrolment to that day.

    Raises
    ------
    EstimationError
        When a status is not one of the five, or a country has no end.
    """
    _check(status, end, country=country)
    last_day = _last_days(status, end, country=country)
    keys = [school, pupil]
    table = status.assign(
        _ending=status["status"].isin(ENDINGS),
        _day=(pd.to_datetime(status["status_date"]) - start).dt.days.astype(float),
        _end=(last_day - start).dt.days.astype(float),
    )
    rows = [
        dict(zip(keys, key, strict=True)) | _history(mine["status"], mine["_day"], float(mine["_end"].iloc[0]))
        for key, mine in table.groupby(keys, sort=True, observed=True)
    ]
    return Histories(times=pd.DataFrame(rows, columns=[*keys, "time", "status", "problem"]))


def _check(status: pd.DataFrame, end: pd.Timestamp | Mapping[str, pd.Timestamp], *, country: str) -> None:
    strange = sorted(set(status["status"].dropna().astype(str)) - set(_KNOWN))
    if strange:
        raise EstimationError("column 'status'", f"'{strange[0]}' is not a status.", f"Use one of {', '.join(_KNOWN)}.")
    if isinstance(end, Mapping):
        without = sorted(set(status[country].astype(str)) - set(end))
        if without:
            raise EstimationError("end of follow-up", f"the country {without[0]} has none.", "Name its last day.")


def _last_days(
    status: pd.DataFrame, end: pd.Timestamp | Mapping[str, pd.Timestamp], *, country: str
) -> pd.Series[pd.Timestamp]:
    if isinstance(end, Mapping):
        return pd.to_datetime(status[country].astype(str).map(dict(end)))
    return pd.Series(end, index=status.index)


def _history(status: pd.Series[str], day: pd.Series[float], end: float) -> dict[str, object]:
    """Return time, status and problem of one pupil's records, in the order of the waves."""
    known = status.notna() & (status != "unknown")
    if not known.any():
        return {"time": np.nan, "status": "unknown", "problem": "nothing is known"}
    words, days = status[known].to_numpy(dtype=object), day[known].to_numpy(dtype=float)
    ending = np.isin(words, ENDINGS)
    if not ending.any():
        unsure = status.iloc[-1] == "unknown" or pd.isna(status.iloc[-1])
        if not unsure:
            return {"time": end, "status": "enrolled", "problem": ""}
        last = np.nanmax(days) if np.isfinite(days).any() else np.nan
        problem = "" if np.isfinite(last) else "enrolled at first, then nothing is known"
        return {"time": min(last, end) if np.isfinite(last) else np.nan, "status": "unknown", "problem": problem}
    first = int(np.argmax(ending))
    word, at = str(words[first]), float(days[first])
    if not ending[first:].all() or len({(w, d) for w, d in zip(words[ending], days[ending], strict=True)}) > 1:
        return {"time": np.nan, "status": word, "problem": "the records contradict each other"}
    if not np.isfinite(at):
        return {"time": np.nan, "status": word, "problem": "an ending without a date"}
    if at <= 0:
        return {"time": np.nan, "status": word, "problem": "left before the start"}
    if at > end:
        return {"time": end, "status": "enrolled", "problem": ""}
    return {"time": at, "status": word, "problem": ""}
