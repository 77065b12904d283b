"""The sampling frame of a trial: its schools, which of them can be drawn, and the units of the draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import DataError, DesignError
from data_schema.findings import Finding, Findings
from evaluation.frame_persons import build_trial_gate, remove_person_columns
from evaluation.specifications import build_design, build_tables

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.fields import Field
    from data_schema.tables import Table
    from evaluation.folder import TrialFolder
    from evaluation.protocol import Protocol


CLASS = "class"
"""Column that names a class in the file of classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolsFile:
    """What was found in a file of schools.

    Parameters
    ----------
    name
        Of the file.
    rows
        One row per school, with its row in the file.
    wrong
        What must be corrected before the file can be used.
    odd
        What is odd in columns that nothing reads.
    """

    name: str
    rows: pd.DataFrame
    wrong: Findings
    odd: Findings


def read_frame(found: SchoolsFile, protocol: Protocol) -> tuple[pd.DataFrame, Findings]:
    """Return the sampling frame of a file, checked against the protocol.

    Parameters
    ----------
    found
        What was found in the file.
    protocol
        The trial's protocol.

    Returns
    -------
    tuple
        The frame sorted by school_id, and what is odd in columns that nothing reads.

    Raises
    ------
    DataError
        When the file is missing or unusable, a value of a column that the trial reads cannot be understood, a country
        is not one of the protocol's, or a country has no school. All findings are in the text.
    """
    frame, findings = _usable(found)
    empty = sorted(set(protocol.countries) - set(frame["country"]))
    if empty:
        raise DataError(
            found.name,
            f"there is no school of {empty[0]} ({protocol.countries[empty[0]]}).",
            "Add its schools, or take the country out of [countries].",
        )
    return frame.sort_values("school_id", ignore_index=True), findings


def read_usable_schools(path: Path, protocol: Protocol) -> tuple[pd.DataFrame, DataError | None]:
    """Read as much of the sampling frame as can be used, for drafts that may be made before it is complete.

    Returns
    -------
    tuple
        The schools of which identifier and country are known, none where the file cannot be read; and what
        `read_frame` would refuse, if anything.
    """
    import pandas as pd

    try:
        found = look_at_schools(path, protocol, tables=build_tables(protocol), file=path.name)
    except DataError as error:
        return pd.DataFrame({"school_id": [], "country": []}, dtype="str"), error
    try:
        return read_frame(found, protocol)[0], None
    except DataError as error:
        refusal = error
    frame = found.rows
    is_known = frame["school_id"].notna() & frame["country"].isin(list(protocol.countries))
    return frame.loc[is_known].drop_duplicates("school_id").reset_index(drop=True), refusal


def read_schools_of(path: Path, protocol: Protocol) -> pd.DataFrame:
    """Read a further table of schools: late ones, or reserves.

    Raises
    ------
    DataError
        As `read_frame` does; a country may have no school in it.
    """
    return _usable(look_at_schools(path, protocol, tables=build_tables(protocol), file=path.name))[0]


def check_frame(found: SchoolsFile, protocol: Protocol) -> Findings:
    """Check that the frame has what the draw and the school-level covariates need.

    Returns
    -------
    Findings
        What is odd in columns that nothing reads.

    Raises
    ------
    DataError
        When `read_frame` would, a column is not there, or a school that can be drawn has no value in a column that the
        draw reads.
    """
    from data_schema.frames import refuse

    frame, file = found.rows, found.name
    known = {(one.row, one.column) for one in found.wrong}
    missing = [
        one
        for one in _check_unfilled_cells(select_eligible_schools(frame), protocol, file=file)
        if (one.row, one.column) not in known
    ]
    refuse([*found.wrong, *_check_absent_columns(frame, protocol, file=file), *missing])
    return found.odd


def _usable(found: SchoolsFile) -> tuple[pd.DataFrame, Findings]:
    from data_schema.frames import ROW, refuse

    refuse(found.wrong)
    return found.rows.drop(columns=ROW), found.odd


def look_at_schools(source: Path | bytes, protocol: Protocol, *, tables: Mapping[str, Table], file: str) -> SchoolsFile:
    """Read a file of schools, and find what is wrong or odd in it.

    Parameters
    ----------
    source
        The file, or what is in it.
    protocol
        The trial's protocol.
    tables
        Its tables.
    file
        The file's name.

    Raises
    ------
    DataError
        When the file is missing or cannot be read.
    """
    from data_schema.frames import ROW, read_school_rows
    from data_schema.personal.leaving import remove_persons_from_finding

    table, used = tables["school"], find_used_columns(protocol)
    frame, found = read_school_rows(source, table, file=file, numbers=_find_number_columns(protocol))
    gate = build_trial_gate(protocol, frame, tables=tables)
    frame, of_persons = remove_person_columns(frame, gate, needed={*table.names, *used, ROW}, file=file)
    bad = Findings(one for one in found if one.severity == "refused" or _is_asked(one, used))
    said = [_add_codes_remedy(one, table.field(one.column)) if one.column in table.names else one for one in bad]
    strange = _check_frame_countries(frame, protocol, file=file)
    wrong = Findings(remove_persons_from_finding(one, gate) for one in (*said, *strange))
    odd = (remove_persons_from_finding(one, gate) for one in found if one not in bad)
    return SchoolsFile(name=file, rows=frame, wrong=wrong, odd=Findings([*odd, *of_persons]))


def _is_asked(found: Finding, used: frozenset[str]) -> bool:
    return found.severity == "question" and found.column in used


def find_used_columns(protocol: Protocol) -> frozenset[str]:
    """Return the columns of the frame that stages read: by them schools are drawn, counted, compared and adjusted."""
    return frozenset(("country", "consent", "size", *_find_draw_columns(protocol), *_find_covariate_columns(protocol)))


def _find_draw_columns(protocol: Protocol) -> tuple[str, ...]:
    """Return the columns that the draw reads, in the protocol's order."""
    section = protocol.design
    if not section.method.is_drawn_here:
        return section.strata
    order = section.minimisation.order if section.minimisation is not None else ""
    named = (*section.strata, *build_design(protocol).variables, *((order,) if order else ()))
    return tuple(dict.fromkeys(named))


def _find_covariate_columns(protocol: Protocol) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.field or item.name for item in protocol.covariates if item.table == "school"))


def _find_number_columns(protocol: Protocol) -> frozenset[str]:
    """Return the columns that are numbers where they have any: not strata, and not what is declared a category."""
    section = protocol.design
    names = set(section.strata) - set(section.cuts)
    names |= set(section.constraint.categories if section.constraint is not None else ())
    return find_used_columns(protocol) - names


def _check_frame_countries(frame: pd.DataFrame, protocol: Protocol, *, file: str) -> Iterator[Finding]:
    from data_schema.frames import ROW

    known = ", ".join(sorted(protocol.countries))
    strange = frame.loc[frame["country"].notna() & ~frame["country"].isin(set(protocol.countries))]
    for row, country in zip(strange[ROW], strange["country"], strict=True):
        yield Finding(
            file=file,
            row=int(row),
            column="country",
            value=str(country),
            problem=f"the country '{country}' is not one of the protocol's.",
            remedy=f"Use one of {known}, or add it under [countries].",
            severity="refused",
        )


def _add_codes_remedy(found: Finding, field: Field) -> Finding:
    """Add to a question about an answer that the answers may be declared."""
    if not field.codes or field.type == "yes_no":
        return found
    remedy = f"{found.remedy} Or declare the answers of '{field.name}' under [tables.school]."
    return replace(found, remedy=remedy)


def _check_absent_columns(frame: pd.DataFrame, protocol: Protocol, *, file: str) -> Iterator[Finding]:
    """Refuse a frame without a column that the draw or a covariate reads."""
    from data_schema.frames import ROW

    needs = dict.fromkeys(_find_covariate_columns(protocol), "a covariate needs it")
    needs |= dict.fromkeys(_find_draw_columns(protocol), "the draw needs it")
    columns = ", ".join(str(name) for name in frame.columns if name != ROW)
    for name, why in needs.items():
        if name not in frame.columns:
            problem = f"there is no column '{name}', and {why}."
            remedy = f"Add it, or correct the protocol; the columns are: {columns}."
            yield Finding(file=file, column=name, problem=problem, remedy=remedy, severity="refused")


def _check_unfilled_cells(frame: pd.DataFrame, protocol: Protocol, *, file: str) -> Iterator[Finding]:
    """Refuse schools that can be drawn and have no value in a column that the draw reads."""
    from data_schema.frames import ROW

    for name in _find_draw_columns(protocol):
        for row in frame.loc[frame[name].isna(), ROW] if name in frame.columns else ():
            problem = f"'{name}' is missing, and the draw needs it."
            remedy = "Fill it in, or let the school's consent be 'no' if it does not take part."
            yield Finding(file=file, row=int(row), column=name, problem=problem, remedy=remedy, severity="refused")


def find_excluded_schools(frame: pd.DataFrame) -> dict[str, str]:
    """Return the schools that cannot be drawn, with the reason.

    A school whose consent is "no" has declined; a school without an answer is taken to have agreed, since a frame need
    not have the column. A school that withdrew before the start and whose place a reserve has taken is out, too.
    """
    reason_by_school: dict[str, str] = {}
    if "consent" in frame.columns:
        declined = frame["consent"].astype("boolean").eq(other=False).fillna(value=False)
        reason_by_school |= dict.fromkeys(frame.loc[declined, "school_id"], "declined")
    if "withdrew" in frame.columns:
        reason_by_school |= dict.fromkeys(
            frame.loc[frame["withdrew"].astype(bool), "school_id"], "withdrew before the start"
        )
    return reason_by_school


def select_eligible_schools(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the schools that can be drawn."""
    return frame.loc[~frame["school_id"].isin(find_excluded_schools(frame).keys())].reset_index(drop=True)


def is_class_draw(trial: TrialFolder) -> bool:
    """Return whether classes are drawn, not schools."""
    return trial.protocol.design.method.draws_classes


def read_draw_units(trial: TrialFolder) -> pd.DataFrame:
    """Return one row per school that can be drawn or, if classes are drawn, one row per class.

    A class is called "school / class" in ``school_id`` and has what the frame knows of its school, and ``school``.

    Raises
    ------
    DataError
        When the file of classes cannot be used, or names a school that cannot be drawn.
    """
    from randomisation.within_schools import SCHOOL, units_of_schools

    schools = select_eligible_schools(trial.sampling_frame()[0])
    if not is_class_draw(trial):
        return schools
    classes = _read_class_list(trial)
    strangers = sorted(set(classes["school_id"]) - set(schools["school_id"]))
    if strangers:
        raise DataError(
            f"{trial.protocol.design.units}, school '{strangers[0]}'",
            "it is not in the sampling frame, or cannot be drawn.",
            "Correct its identifier, or take its classes out.",
        )
    known = classes.merge(schools.drop(columns=SCHOOL, errors="ignore"), on="school_id", validate="m:1")
    return units_of_schools(known, unit=CLASS)


def _read_class_list(trial: TrialFolder) -> pd.DataFrame:
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


def refuse_classes(trial: TrialFolder, what: str) -> None:
    """Refuse what takes schools for drawn where classes were.

    Raises
    ------
    DesignError
        When classes are drawn.
    """
    if is_class_draw(trial):
        raise DesignError(
            f"{what}, [design], kind 'classes'",
            "classes are drawn within schools, and this compares schools.",
            "Analyse the classes with the library (linear_model with the class as cluster and the school as fixed"
            " effect): allocation/allocation.csv says which class is in which arm.",
        )
