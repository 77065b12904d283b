"""assign --commit and --reveal: schools and design are fixed and published before there is a seed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from data_schema.errors import DesignError
from evaluation.frame import check_frame, is_class_draw, read_draw_units, select_eligible_schools
from evaluation.provenance import read_record, stage_folder
from evaluation.specifications import build_design
from evaluation.stages import inputs_of
from evaluation.stages.agreement import find_exchanged_arms, refuse_disagreement
from evaluation.trial_log import DRAWS, Event, build_log_announcement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from evaluation.folder import TrialFolder
    from randomisation.commitment import Commitment
    from randomisation.log import LogEntry

COMMITMENT = "commitment.json"
_PLACE = f"allocation/{COMMITMENT}"
_REPLACED = "If that must be replaced, say why: `crocoos assign --commit --reason TEXT`. The log will show it."


def freeze_next_draw(trial: TrialFolder, *, seed_source: str, reason: str) -> Commitment:
    """Fix the schools and the design of the next draw, write down their hash, and return them.

    Parameters
    ----------
    trial
        The trial; its protocol states no seed.
    seed_source
        Where the seed will come from, such as "five numbers of the lottery of 1 March 2027".
    reason
        Why an earlier commitment or draw is replaced.

    Raises
    ------
    DesignError
        When the design cannot be drawn, a seed is known already, or something is replaced without a reason.
    """
    from randomisation.commitment import Commitment

    design = trial.protocol.design
    if not design.method.is_drawn_here:
        raise DesignError("trial.toml, [design]", "the draw was made elsewhere.", "There is nothing to commit to.")
    if design.seed.strip():
        raise DesignError(
            "trial.toml, [design], key 'seed'",
            "a seed is stated already, so that a commitment would prove nothing.",
            "Take it out and commit with `crocoos assign --commit`. Once the seed has been drawn in public, hand it"
            " over with `crocoos assign --reveal --seed ...`.",
        )
    refuse_to_undo(trial)
    commitment = Commitment.of(read_checked_schools(trial), build_design(trial.protocol))
    log = trial.log()
    before = find_pending_commitment(log.checked())
    if before is not None and before.detail.get("commitment_sha256") == commitment.sha256:
        return commitment
    named = log.of(Event.COMMITTED) or log.naming("allocation_sha256", *DRAWS)
    if named and not reason.strip():
        what = "other schools or another design were committed to" if before else "the schools were drawn before"
        raise DesignError(_PLACE, f"{what}.", _REPLACED)
    _write(trial, commitment, seed_source=seed_source, reason=reason)
    return commitment


def refuse_to_undo(trial: TrialFolder) -> None:
    """Refuse another first draw where schools came after the one that there is.

    Raises
    ------
    DesignError
        When schools were added or replaced.
    """
    from evaluation.drawn import read_later_steps

    if read_later_steps(trial):
        raise DesignError(
            "allocation",
            "schools were added or replaced since the draw, and another first draw would undo that.",
            "Keep the draw. Add late schools with `crocoos assign --add FILE --seed ...`, or replace one that withdrew"
            " with `crocoos assign --replace SCHOOL --seed ... --reason TEXT`.",
        )


def read_checked_schools(trial: TrialFolder) -> pd.DataFrame:
    """Return the schools that can be drawn.

    Raises
    ------
    DataError
        When the sampling frame lacks what the draw needs.
    DesignError
        When two identifiers can be taken for one another.
    """
    from randomisation.schools import find_look_alikes

    check_frame(trial.schools_file(), trial.protocol)
    schools = select_eligible_schools(trial.sampling_frame()[0])
    pairs = find_look_alikes(schools["school_id"].tolist())
    if pairs:
        first_school, other = pairs[0]
        raise DesignError(
            f"{trial.protocol.schools.file}, schools '{first_school}' and '{other}'",
            "they differ by capitals, spaces, signs, leading zeros or the form of a letter only.",
            "If they are one school, keep one row; if they are two, give one of them another identifier.",
        )
    return read_draw_units(trial) if is_class_draw(trial) else schools


def _write(trial: TrialFolder, made: Commitment, *, seed_source: str, reason: str) -> None:
    """Write the commitment beside what a draw before it has left, which stays as it was."""
    detail = {**made.facts, "seed_source": seed_source.strip(), "reason": reason.strip()}
    old, earlier_files = read_record(trial.paths.allocation), read_draw_files(trial.paths.allocation)
    stage = old.stage if old is not None else "commit"
    inputs = old.inputs if old is not None else inputs_of(trial, "assign")
    announce = build_log_announcement(trial, Event.COMMITTED, detail)
    with stage_folder(trial.paths.allocation, stage=stage, inputs=inputs, announce=announce) as folder:
        for name, content in earlier_files.items():
            (folder / name).write_bytes(content)
        (folder / COMMITMENT).write_bytes(encode_commitment(made))


def read_draw_files(folder: Path) -> Mapping[str, bytes]:
    """Return what a draw has left in its folder, but for the stage's own record."""
    from evaluation.provenance import RECORD as STAGE

    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != STAGE)
    return {path.name: path.read_bytes() for path in files}


def encode_commitment(made: Commitment) -> bytes:
    """Return a commitment as the file that holds it."""
    return (json.dumps(made.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def find_pending_commitment(log: Sequence[LogEntry]) -> LogEntry | None:
    """Return the commitment that no draw has followed yet; None without one."""
    for entry in reversed(log):
        if entry.event in DRAWS:
            return None
        if entry.event == Event.COMMITTED:
            return entry
    return None


def read_committed_schools(trial: TrialFolder, log: Sequence[LogEntry]) -> pd.DataFrame:
    """Return the schools of the draw that was committed to, with the matched sets of then.

    Raises
    ------
    DesignError
        When nothing was committed to, or the schools or the design have changed since.
    """
    from randomisation.commitment import Commitment
    from randomisation.design import MATCHED_SET

    entry = find_pending_commitment(log)
    if entry is None:
        raise DesignError(
            _PLACE, "nothing has been committed to since the last draw.", "Run `crocoos assign --commit` first."
        )
    then = read_commitment(trial)
    if then is None or then.sha256 != entry.detail.get("commitment_sha256"):
        raise DesignError(_PLACE, "it is not the commitment that the log names.", "Bring it back from a copy.")
    schools, design = read_checked_schools(trial), build_design(trial.protocol)
    refuse_disagreement(_PLACE, find_exchanged_arms(then.design.labels, trial.protocol))
    if design.matching is not None:
        sets = {school: values[-1] for school, values in zip(then.schools, then.stratum_values, strict=True)}
        schools = schools.assign(**{MATCHED_SET: [sets.get(school, "rest") for school in schools["school_id"]]})
    now = Commitment.of(schools, design)
    if now.sha256 != then.sha256:
        what = "the schools, or what the design looks at in them," if now.design == then.design else "the design"
        raise DesignError(
            _PLACE,
            f"{what} changed since the commitment.",
            f"Change it back. {_REPLACED}",
        )
    return schools


def read_commitment(trial: TrialFolder) -> Commitment | None:
    """Return what was last committed to; None when nothing was.

    Raises
    ------
    DesignError
        When it cannot be read or was changed.
    """
    from randomisation.commitment import Commitment

    path = trial.paths.allocation / COMMITMENT
    if not path.exists():
        return None
    try:
        return Commitment.from_dict(json.loads(path.read_bytes()))
    except ValueError as error:
        raise DesignError(
            _PLACE, "it cannot be read; it was damaged or edited.", "Bring it back from a copy."
        ) from error
