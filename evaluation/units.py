"""What is drawn: the schools of the frame, or the classes of these schools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_schema.errors import DataError, DesignError
from evaluation.frame import eligible

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.trial import Trial

CLASS = "class"
"""Column that names a class in the file of classes."""


def draws_classes(trial: Trial) -> bool:
    """Tell whether classes are drawn, not schools."""
    return trial.protocol.design.method.draws_classes


def drawn_from(trial: Trial) -> pd.DataFrame:
    """Return one row a school that can be drawn, or, where classes are drawn, one row a class.

    A class is called "school / class" in ``school_id`` and has what the frame knows of its school, and ``school``.

    Raises
    ------
    DataError
        When the file of classes cannot be used, or names a school that cannot be drawn.
    """
    from randomisation.within_schools import SCHOOL, units_of_schools

    schools = eligible(trial.sampling_frame()[0])
    if not draws_classes(trial):
        return schools
    classes = _classes(trial)
    strangers = sorted(set(classes["school_id"]) - set(schools["school_id"]))
    if strangers:
        raise DataError(
            f"{trial.protocol.design.units}, school '{strangers[0]}'",
            "it is not in the sampling frame, or cannot be drawn.",
            "Correct its identifier, or take its classes out.",
        )
    known = classes.merge(schools.drop(columns=SCHOOL, errors="ignore"), on="school_id", validate="m:1")
    return units_of_schools(known, unit=CLASS)


def _classes(trial: Trial) -> pd.DataFrame:
    import pandas as pd

    name = trial.protocol.design.units
    try:
        frame = pd.read_csv(trial.paths.root / name, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(name, "there is no such file.", "Put the list of classes there.") from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(name, f"it cannot be read as CSV: {error}", "Save it as CSV in UTF-8.") from error
    missing = [column for column in ("school_id", CLASS) if column not in frame.columns]
    if missing:
        raise DataError(name, f"there is no column '{missing[0]}'.", "Give it the columns school_id and class.")
    return frame[["school_id", CLASS]].assign(**{column: frame[column].str.strip() for column in ("school_id", CLASS)})


def refuse_classes(trial: Trial, what: str) -> None:
    """Refuse what takes schools for drawn where classes were.

    Raises
    ------
    DesignError
        When classes are drawn.
    """
    if draws_classes(trial):
        raise DesignError(
            f"{what}, [design], kind 'classes'",
            "classes are drawn within schools, and this compares schools.",
            "Analyse the classes with the library (linear_model with the class as cluster and the school as fixed"
            " effect): allocation/allocation.csv says which class is in which arm.",
        )
