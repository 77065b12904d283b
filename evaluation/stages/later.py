"""assign --add and --replace: schools that come after the draw, which stays as it is.

Each step writes two files into allocation/: ``later_N.json``, its record, and ``later_N.csv``, the schools that it is
drawn from. The log names the record's hash; ``allocation.csv`` lists who takes part now.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from data_schema.errors import DataError, DesignError, StaleError
from evaluation.drawn import find_joined_schools, find_stratum_of_place, read_later_steps, read_step, strata_of
from evaluation.frame import read_schools_of, refuse_classes, select_eligible_schools
from evaluation.provenance import hash_bytes, read_record, stage_folder
from evaluation.trial_log import Event, build_log_announcement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from evaluation.folder import TrialFolder
    from randomisation.draw import Allocation
    from randomisation.later import Replacement
    from randomisation.record import AllocationRecord


def add(trial: TrialFolder, file: Path, *, seed: str, reason: str) -> Allocation:
    """Draw late schools by the trial's design, among one another.

    Parameters
    ----------
    trial
        With a valid draw.
    file
        The late schools, in a table like the sampling frame.
    seed
        A seed of its own.
    reason
        Why they come late; may be empty.

    Raises
    ------
    StaleError
        When no draw has been made, or it is no longer valid.
    DesignError
        When a school is in the trial, the seed was used, or the design cannot draw these schools.
    """
    from randomisation.later import draw_late
    from randomisation.record import AllocationRecord

    record = _require_valid_draw(trial)
    steps = read_later_steps(trial)
    late = select_eligible_schools(read_schools_of(file, trial.protocol))
    _check_new(trial, late, place=file.name)
    seeds = [record.seed, *(step.late.seed for step in steps if step.late is not None)]
    before = find_joined_schools(record, steps) if record.design.method.joins_one_by_one else ()
    drawn = draw_late(late, record.design, seed=seed, seeds=seeds, before=before)
    allocation_record = AllocationRecord.of(drawn)
    detail = {
        "allocation_sha256": allocation_record.allocation_sha256,
        "frame_sha256": allocation_record.frame_sha256,
        "seed": allocation_record.seed,
    }
    _write_step(trial, allocation_record.to_dict(), late, (Event.ADDED, detail | {"reason": reason.strip()}))
    return drawn


def replace(trial: TrialFolder, school: str, *, seed: str, reason: str) -> Replacement:
    """Draw which reserve takes the place and the arm of a school that withdrew before the start.

    Parameters
    ----------
    trial
        With a draw that holds, and a file of reserves in its protocol.
    school
        The school that withdrew.
    seed
        A seed from a public draw.
    reason
        Why it withdrew.

    Raises
    ------
    StaleError
        When no draw has been made, or it is no longer valid.
    DesignError
        When the school is not in the trial or has sent data, or there is no reserve of its stratum.
    """
    from evaluation.stages.agreement import read_allocation_frame
    from randomisation.later import replace_school

    _require_valid_draw(trial)
    if not trial.protocol.schools.reserves:
        raise DesignError(
            "trial.toml, [schools], key 'reserves'",
            "no file of reserve schools is named.",
            "Name one with columns like those of the sampling frame.",
        )
    if school in _find_schools_with_data(trial):
        raise DesignError(
            f"school '{school}'",
            "it has sent data: the trial has started there.",
            "Leave it in its arm; a school that is lost after the start is analysed as lost.",
        )
    known = set(trial.schools()[0]["school_id"])
    file = trial.paths.root / trial.protocol.schools.reserves
    reserves = select_eligible_schools(read_schools_of(file, trial.protocol))
    reserves = reserves.loc[~reserves["school_id"].isin(known)].reset_index(drop=True)
    frame = read_allocation_frame(trial)
    arm_of = dict(zip(frame["school_id"], frame["arm"], strict=True))
    if school in arm_of:
        reserves = _select_stratum_reserves(trial, reserves, school)
    replacement = replace_school(arm_of, school, reserves=reserves["school_id"].tolist(), seed=seed, reason=reason)
    _check_new(trial, reserves, place=file.name)
    detail = {"withdrawn": school, "chosen": replacement.chosen, "seed": seed, "reason": replacement.reason}
    _write_step(trial, replacement.to_dict(), reserves, (Event.REPLACED, detail))
    return replacement


def _require_valid_draw(trial: TrialFolder) -> AllocationRecord:
    """Return the first draw's record of a trial whose draw holds."""
    from evaluation.drawn import read_draw_record
    from evaluation.stages.commit import find_pending_commitment
    from evaluation.stages.verify import verify_draw as verify

    refuse_classes(trial, "late schools and reserves")
    record = read_draw_record(trial)
    if find_pending_commitment(trial.log().checked()) is not None:
        raise DesignError(
            "allocation",
            "schools and design wait for their seed.",
            "Draw them first: `crocoos assign --reveal --seed ...`.",
        )
    problems = verify(trial).problems
    if problems:
        raise StaleError("allocation", f"the draw is not valid: {problems[0]}", "Put back what `crocoos verify` lists.")
    return record


def _check_new(trial: TrialFolder, schools: pd.DataFrame, *, place: str) -> None:
    """Refuse schools of which one is, or can be taken for, a school of the trial."""
    from randomisation.schools import find_look_alikes

    known = trial.schools()[0]["school_id"].tolist()
    ids = schools["school_id"].tolist()
    if not ids:
        raise DataError(place, "no school of it can be drawn.", "List schools that agree to take part.")
    again = sorted(set(ids) & set(known))
    if again:
        raise DesignError(place, f"school '{again[0]}' is in the trial.", "List new schools only.")
    pairs = [pair for pair in find_look_alikes([*known, *ids]) if pair[1] in ids]
    if pairs:
        first_school, other = pairs[0]
        raise DesignError(place, f"'{other}' can be taken for '{first_school}'.", "Check that they are two schools.")


def _select_stratum_reserves(trial: TrialFolder, reserves: pd.DataFrame, school: str) -> pd.DataFrame:
    """Return the reserves of a school's stratum."""
    from evaluation.drawn import read_allocation_record

    if reserves.empty:
        raise DesignError(f"replacement of school '{school}'", "no reserve is left.", "Add some to the file.")
    record = read_allocation_record(trial)
    school_stratum = find_stratum_of_place(record, read_later_steps(trial), school) if record is not None else ()
    alike = [name for name, values in strata_of(reserves, record).items() if values == school_stratum]
    if not alike:
        raise DesignError(
            f"replacement of school '{school}'",
            f"no reserve is of its stratum ({' / '.join(school_stratum) or 'all'}).",
            "Add one to the file of reserves, or go on without the school.",
        )
    return reserves.loc[reserves["school_id"].isin(alike)].reset_index(drop=True)


def _find_schools_with_data(trial: TrialFolder) -> set[str]:
    """Return the schools that are in the store."""
    from data_schema.store import Store
    from evaluation.stored import STORE

    path = trial.paths.store / STORE
    if not path.exists():
        return set()
    with Store.open_read(path) as store:
        tables = [store.table(name) for name in store.tables]
    return {str(school) for table in tables if "school_id" in table for school in table["school_id"].unique()}


def _write_step(
    trial: TrialFolder,
    record: Mapping[str, object],
    schools: pd.DataFrame,
    logged: tuple[Event, Mapping[str, str]],
) -> None:
    """Write a step beside what is there, and the table of who takes part now."""
    from evaluation.drawn import ALLOCATION, build_current_allocation
    from evaluation.stages.commit import read_draw_files

    event, detail = logged
    number = len(read_later_steps(trial)) + 1
    content = (json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    detail = {**detail, "record": f"later_{number}.json", "record_sha256": hash_bytes(content)}
    stage = read_record(trial.paths.allocation)
    inputs = {} if stage is None else stage.inputs
    files = read_draw_files(trial.paths.allocation)
    announce = build_log_announcement(trial, event, detail)
    with stage_folder(trial.paths.allocation, stage="assign", inputs=inputs, announce=announce) as folder:
        for name, old in files.items():
            (folder / name).write_bytes(old)
        (folder / f"later_{number}.json").write_bytes(content)
        schools.to_csv(folder / f"later_{number}.csv", index=False, lineterminator="\n", encoding="utf-8")
        steps = (*read_later_steps(trial), read_step(trial, number, folder / f"later_{number}.json"))
        build_current_allocation(trial, steps).to_csv(folder / ALLOCATION, index=False, lineterminator="\n")
