"""Whether protocol, schools and tables still say what the record of the draw says: one comparison for all who ask.

After the draw its record is what counts. Who uses the draw asks `read_checked_record` first, so that nothing is
computed or printed from a protocol or a list of schools that says something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_schema.errors import CrocoosError, StaleError
from evaluation.drawn import build_current_allocation, read_later_steps
from evaluation.frame import read_draw_units
from evaluation.specifications import build_design
from evaluation.wording import find_differences, find_exchanged_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from evaluation.folder import TrialFolder
    from evaluation.protocol import Protocol
    from randomisation.record import AllocationRecord


def find_design_problems(record: AllocationRecord, protocol: Protocol) -> list[str]:
    """Return what the protocol says otherwise of the design than the record, and labels that changed arms."""
    now, then = build_design(protocol), record.design
    difference_texts = [difference.text for difference in find_differences(then.to_dict(), now.to_dict())]
    problems = [f"trial.toml has another design than the draw: {text}." for text in difference_texts]
    if (record.drawn == "here") != protocol.design.method.is_drawn_here:
        where = "elsewhere" if record.drawn == "elsewhere" else "here"
        problems.append(f"trial.toml has the kind '{protocol.design.kind}', and the draw was made {where}.")
    return problems + find_exchanged_arms(then.labels, protocol)


def find_exchanged_arms(then: Mapping[str, str], protocol: Protocol) -> list[str]:
    """Return arms that the protocol gives a label that another arm had when it was drawn or committed to."""
    now = build_design(protocol).labels
    return [
        f"trial.toml calls the arm '{arm}' '{now[arm]}', which was the label of the arm '{other}'."
        for arm, other in find_exchanged_labels(then, now).items()
    ]


def find_reworded_labels(record: AllocationRecord, protocol: Protocol) -> list[str]:
    """Return labels of arms that are worded otherwise than at the draw, a sentence each, and are still their own."""
    then, now = record.design.labels, build_design(protocol).labels
    others = find_exchanged_labels(then, now)
    return [
        f"The arm '{arm}' was called '{then[arm]}' at the draw, and is called '{label}' now."
        for arm, label in now.items()
        if arm in then and label != then[arm] and arm not in others
    ]


def find_school_problems(trial: TrialFolder, record: AllocationRecord) -> list[str]:
    """Return how the list of schools differs from the record in what the design looks at."""
    from randomisation.record import compare_schools

    try:
        return compare_schools(record, read_draw_units(trial))
    except CrocoosError as error:
        return [str(error)]


def hash_design_columns(trial: TrialFolder) -> dict[str, str]:
    """Return the hash of what the design looks at in the list of schools, under the file's name.

    Names of schools and other columns may change without making the draw stale. A list that cannot be read is known by
    the hash of its file, which is another one than it was at the draw.
    """
    from randomisation.record import compute_looked_at_hash

    file = trial.paths.root / trial.protocol.schools.file
    try:
        return {
            trial.protocol.schools.file: compute_looked_at_hash(read_draw_units(trial), build_design(trial.protocol))
        }
    except CrocoosError:
        return trial.file_hash(file)


def read_checked_record(trial: TrialFolder) -> AllocationRecord:
    """Return the record of the draw if protocol and schools are still those of the draw.

    Raises
    ------
    StaleError
        When no draw has been made, or the protocol's design or the list of schools says something else.
    """
    from evaluation.drawn import read_draw_record, read_later_steps
    from randomisation.record import compare_schools

    record = read_draw_record(trial)
    problems = [*find_design_problems(record, trial.protocol), *find_school_problems(trial, record)]
    for step in read_later_steps(trial):
        if step.late is not None:
            problems += [f"later_{step.number}.csv: {text}" for text in compare_schools(step.late, step.schools)]
    refuse_disagreement("allocation", problems)
    return record


def refuse_disagreement(place: str, problems: Iterable[str]) -> None:
    """Refuse to go on from a draw with which something else disagrees.

    Raises
    ------
    StaleError
        With the first problem and how many more there are.
    """
    listed = list(problems)
    if listed:
        raise StaleError(
            place,
            f"the draw's record is contradicted: {listed[0]}{_count_further_items(listed)}",
            "Put back what was changed since the draw; `crocoos verify` lists all of it.",
        )


def _count_further_items(items: Sequence[object]) -> str:
    """Return how many there are beside the first, in brackets; "" when it is the only one."""
    return f" (and {len(items) - 1} more)" if len(items) > 1 else ""


def compare_table_with_records(name: str, found: pd.DataFrame, expected: pd.DataFrame) -> list[str]:
    """Compare a table in allocation/, column by column and row by row, with what the records say.

    Parameters
    ----------
    name
        Of its file.
    found, expected
        Tables of texts with a column ``school_id``; the order of rows and columns does not matter.
    """
    missing = [column for column in expected.columns if column not in found.columns]
    more = [str(column) for column in found.columns if column not in expected.columns]
    if missing or more:
        what = f"lacks the column '{missing[0]}'" if missing else f"has the column '{more[0]}', which no record has"
        return [f"{name} {what}."]
    twice = found.loc[found["school_id"].duplicated(), "school_id"]
    problems = [f"{name} lists the school '{twice.iloc[0]}' twice."] if len(twice) else []
    rows = found.drop_duplicates("school_id").set_index("school_id")
    wanted = expected.set_index("school_id")
    for what, schools in (
        ("lacks", sorted(set(wanted.index) - set(rows.index))),
        ("has a school that no record has:", sorted(set(rows.index) - set(wanted.index))),
    ):
        problems += [f"{name} {what} '{schools[0]}'{_count_further_items(schools)}."] if schools else []
    both = sorted(set(wanted.index) & set(rows.index))
    for column in wanted.columns:
        other = [school for school in both if rows.loc[school, column] != wanted.loc[school, column]]
        if other:
            problems.append(
                f"{name} has '{rows.loc[other[0], column]}' as the {column} of the school '{other[0]}', the record "
                f"'{wanted.loc[other[0], column]}'{_count_further_items(other)}."
            )
    return problems


def read_allocation_frame(trial: TrialFolder) -> pd.DataFrame:
    """Return school_id, stratum and arm of the schools that take part, sorted by school, from the records of the draws.

    Raises
    ------
    StaleError
        When no draw has been made, or protocol and schools are not those of the draw any more.
    """
    read_checked_record(trial)
    return build_current_allocation(trial, read_later_steps(trial))
