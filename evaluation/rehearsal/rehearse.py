"""Rehearse a trial: simulated schools, a real draw, simulated files of the schools, and the truth to compare with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from analysis.simulation import SimulatedTrial, simulate_pupils, simulate_schools
from data_schema.errors import ProtocolError
from data_schema.files import write_whole
from evaluation.rehearsal.faults import PlantedFault
from evaluation.rehearsal.layout import lay_out_inbox, lay_out_schools
from evaluation.scaffold import init
from evaluation.stages.assign import ALLOCATION, allocation_frame
from evaluation.trial import Progress, Trial, silent

DEMO_SEED = "A draw for the demonstration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a rehearsal wrote.

    Parameters
    ----------
    n_schools
        Schools in schools.csv.
    n_files
        Files in inbox/; 0 before the draw.
    faults
        Mistakes that were planted and that intake should find.
    """

    n_schools: int
    n_files: int
    faults: tuple[PlantedFault, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the counts as JSON values."""
        return {"n_schools": self.n_schools, "n_files": self.n_files, "n_faults": len(self.faults)}

    def text(self) -> str:
        """Return the counts as a sentence."""
        if not self.n_files:
            return f"{self.n_schools} simulated schools in schools.csv. Draw them, then simulate again to fill inbox/."
        return (
            f"{self.n_files} simulated files in inbox/, with {len(self.faults)} planted faults "
            "(rehearsal/faults.json) and known effects (rehearsal/truth.json)."
        )


def rehearse(folder: Path, *, seed: int, spec: SimulatedTrial | None = None, progress: Progress = silent) -> Rehearsed:
    """Simulate the schools of a trial, and once they have been drawn, the files that they send.

    Parameters
    ----------
    folder
        A trial made from the template "crocoos".
    seed
        Seed of the simulation.
    spec
        What the simulated trial looks like; the CroCooS preset when None.
    progress
        Told how far it is.

    Raises
    ------
    ProtocolError
        When the protocol's arms are not those that the simulation knows.
    StorageError
        When a file is there with other content: real data are never overwritten.
    """
    spec = spec or SimulatedTrial.crocoos()
    if not (folder / "schools.csv").exists():
        lay_out_schools(folder, simulate_schools(spec, seed=seed))
    trial = Trial(folder, progress=progress)
    schools, _ = trial.schools()
    if set(trial.protocol.arm_names) != {spec.arm, spec.reference_arm}:
        raise ProtocolError(
            "[[design.arms]]",
            f"the simulation knows the arms '{spec.reference_arm}' and '{spec.arm}' only.",
            "Rehearse with the template: crocoos init FOLDER --template crocoos",
        )
    if not (trial.paths.allocation / ALLOCATION).exists():
        return Rehearsed(n_schools=len(schools), n_files=0, faults=())
    progress("simulating pupils", 0, 2)
    drawn = allocation_frame(trial)
    schools = schools.loc[schools["school_id"].isin(drawn["school_id"])].reset_index(drop=True)
    data = simulate_pupils(spec, schools, dict(zip(drawn["school_id"], drawn["arm"], strict=True)), seed=seed)
    progress("writing the schools' files", 1, 2)
    faults = lay_out_inbox(folder, data, seed=seed)
    progress("simulating", 2, 2)
    _keep(folder / "rehearsal" / "truth.json", data.truth)
    _keep(folder / "rehearsal" / "faults.json", [asdict(fault) for fault in faults])
    return Rehearsed(n_schools=len(schools), n_files=len(trial.inbox_files()), faults=faults)


def _keep(path: Path, values: object) -> None:
    write_whole(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())


def run_demo(folder: Path, *, seed: int, progress: Progress = silent, say: Callable[[str], None] = print) -> Path:
    """Simulate a trial and run it from protocol to site; run again, it goes on from where it was.

    Parameters
    ----------
    folder
        Where; made when it is not there.
    seed
        Seed of the simulation.
    progress
        Told how far a stage is.
    say
        Told what has been done, a line a stage.

    Returns
    -------
    Path
        The site's start page.
    """
    if not (folder / "trial.toml").exists():
        init(folder, template="crocoos")
    rehearse(folder, seed=seed)
    trial = Trial(folder, progress=progress)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("plan      frozen", lambda: trial.plan(freeze=True)),
        ("assign    schools drawn into arms", lambda: trial.assign(seed=DEMO_SEED)),
        ("simulate  the schools' files in inbox/", lambda: rehearse(folder, seed=seed, progress=progress)),
        ("collect   files checked, repaired, pseudonymised", trial.collect),
        ("balance   arms compared before the trial", trial.balance),
        ("impact    effects estimated", trial.impact),
        ("report    documents written", trial.report),
        ("publish   site made", trial.publish),
    )
    for text, step in steps:
        began = time.perf_counter()
        step()
        say(f"{text.ljust(52)} {time.perf_counter() - began:6.1f} s")
    return trial.paths.site / "index.html"
