"""Rehearse a trial: simulated schools, a real draw, simulated files of the schools, and the truth to compare with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.simulation import SimulatedCountry, SimulatedTrial, simulate_pupils, simulate_schools
from data_schema.files import write_whole
from evaluation.drawn import ALLOCATION
from evaluation.folder import Progress, take_no_progress
from evaluation.mode import refuse_own_files, require_practice, write_marks
from evaluation.rehearsal.any_trial import simulate_inbox_files, simulate_sampling_frame
from evaluation.rehearsal.faults import PlantedFault
from evaluation.rehearsal.layout import INBOX_RULES, lay_out_inbox, lay_out_schools, write_new
from evaluation.scaffold import create_trial_folder
from evaluation.specifications import build_design, build_inbox_rules
from evaluation.stages.agreement import read_allocation_frame
from evaluation.trial import Trial

if TYPE_CHECKING:
    from data_schema.intake import InboxRule

DEMO_SEED = "A draw for the demonstration"

_VOCATIONAL, _GENERAL = 8, 4
"""Simulated schools of a country that the preset does not know."""


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
    has_effects
        Whether there are effects, and faults, in the files.
    """

    n_schools: int
    n_files: int
    faults: tuple[PlantedFault, ...]
    has_effects: bool = True

    def to_dict(self) -> dict[str, object]:
        """Return the counts as JSON values."""
        return {"n_schools": self.n_schools, "n_files": self.n_files, "n_faults": len(self.faults)}

    def text(self) -> str:
        """Return the counts as a sentence."""
        if not self.n_files:
            return f"{self.n_schools} simulated schools in schools.csv. Draw them, then simulate again to fill inbox/."
        if not self.has_effects:
            return (
                f"{self.n_files} simulated files in inbox/, of what the protocol declares, without effects or faults."
            )
        return (
            f"{self.n_files} simulated files in inbox/, with {len(self.faults)} planted faults "
            "(rehearsal/faults.json) and known effects (rehearsal/truth.json)."
        )


def simulate_trial_inputs(
    folder: Path, *, seed: int, spec: SimulatedTrial | None = None, progress: Progress = take_no_progress
) -> Rehearsed:
    """Simulate the schools of a trial, and once they have been drawn, the files that they send.

    Parameters
    ----------
    folder
        A trial. One that has the arms, waves and tables of the template "crocoos" is simulated with known effects and
        planted faults; any other with valid rows of what its protocol declares, and without effects.
    seed
        Seed of the simulation.
    spec
        What the simulated trial looks like; the CroCooS preset when None. Its countries are those of the protocol: of
        one that it does not know, a dozen schools with English names; its arms are called as the protocol calls them.
    progress
        Told how far it is.

    Raises
    ------
    ProtocolError
        When the folder is not for practice, before anything is touched, or no file would fit an inbox rule.
    StorageError
        When a file is there with other content: real data are never overwritten.
    """
    trial = Trial(folder, progress=progress)
    require_practice(trial)
    write_marks(trial.paths.root)
    spec = _adjust_simulated_trial(spec or SimulatedTrial.crocoos(), trial)
    has_effects = _is_known(trial)
    if not (trial.paths.root / trial.protocol.schools.file).exists():
        if has_effects:
            simulated_schools = simulate_schools(spec, seed=seed)
        else:
            simulated_schools = simulate_sampling_frame(trial.protocol, trial.tables, seed=seed)
        lay_out_schools(folder, simulated_schools, name=trial.protocol.schools.file)
    schools, _ = trial.schools()
    if not (trial.paths.allocation / ALLOCATION).exists():
        return Rehearsed(n_schools=len(schools), n_files=0, faults=(), has_effects=has_effects)
    progress("simulating", 0, 2)
    faults = (
        _simulate_with_effects(trial, spec, seed=seed) if has_effects else _simulate_without_effects(trial, seed=seed)
    )
    progress("simulating", 2, 2)
    n_files = len(trial.inbox_files())
    return Rehearsed(n_schools=len(schools), n_files=n_files, faults=faults, has_effects=has_effects)


def _adjust_simulated_trial(spec: SimulatedTrial, trial: Trial) -> SimulatedTrial:
    """Return the simulated trial with the countries and the names of the arms of a protocol."""
    known = {country.code: country for country in spec.countries}
    countries = tuple(
        known.get(code) or SimulatedCountry(code=code, vocational=_VOCATIONAL, general=_GENERAL)
        for code in trial.protocol.countries
    )
    names = trial.protocol.arm_names
    if len(names) == 2:
        spec = replace(spec, reference_arm=names[0], arm=names[1])
    return replace(spec, countries=countries)


def _is_known(trial: Trial) -> bool:
    """Whether the simulation with effects knows the trial's design, waves and tables."""
    protocol = trial.protocol
    asked = {(rule.table, rule.wave) for rule in protocol.inbox}
    known = {(rule["table"], rule["wave"]) for rule in INBOX_RULES}
    columns = set(simulate_schools(SimulatedTrial.small(), seed=0).columns)
    looked_at = {*protocol.design.strata, *build_design(protocol).variables}
    is_same = len(protocol.arm_names) == 2 and asked == known and not protocol.tables
    return is_same and looked_at <= columns and _can_read_all_files(build_inbox_rules(protocol))


def _can_read_all_files(rules: Sequence[InboxRule]) -> bool:
    """Return whether a protocol's rules take every file that the simulation with effects writes."""
    return all(
        any(
            (rule.table, rule.wave, rule.sheet) == (known["table"], known["wave"], known.get("sheet", ""))
            and rule.matches(known["pattern"].replace("*", "x"))
            for rule in rules
        )
        for known in INBOX_RULES
    )


def _simulate_with_effects(trial: Trial, spec: SimulatedTrial, *, seed: int) -> tuple[PlantedFault, ...]:
    drawn, (schools, _) = read_allocation_frame(trial), trial.schools()
    schools = schools.loc[schools["school_id"].isin(drawn["school_id"])].reset_index(drop=True)
    data = simulate_pupils(spec, schools, dict(zip(drawn["school_id"], drawn["arm"], strict=True)), seed=seed)
    trial.progress("writing the schools' files", 1, 2)
    faults = lay_out_inbox(trial.paths.root, data, seed=seed)
    _keep(trial.paths.root / "rehearsal" / "truth.json", data.truth)
    _keep(trial.paths.root / "rehearsal" / "faults.json", [asdict(fault) for fault in faults])
    return faults


def _simulate_without_effects(trial: Trial, *, seed: int) -> tuple[PlantedFault, ...]:
    schools = trial.schools()[0]
    schools = schools.loc[schools["school_id"].isin(read_allocation_frame(trial)["school_id"])].reset_index(drop=True)
    rules = list(build_inbox_rules(trial.protocol))
    files = simulate_inbox_files(trial.protocol, trial.tables, rules, schools=schools, seed=seed)
    write_new({trial.paths.inbox / name: content for name, content in files.items()})
    truth = {outcome.name: 0 for outcome in trial.protocol.outcomes}
    _keep(trial.paths.root / "rehearsal" / "truth.json", {"effects": truth})
    return ()


def _keep(path: Path, values: object) -> None:
    write_whole(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())


def run_demo(
    folder: Path, *, seed: int, progress: Progress = take_no_progress, say: Callable[[str], None] = print
) -> Path:
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

    Raises
    ------
    ProtocolError
        When the folder is not for practice, before anything is touched.
    """
    if not (folder / "trial.toml").exists():
        refuse_own_files(folder)
        create_trial_folder(folder, template="crocoos", practice=True)
    simulate_trial_inputs(folder, seed=seed)
    trial = Trial(folder, progress=progress)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("plan      frozen", lambda: trial.plan(freeze=True)),
        ("assign    schools drawn into arms", lambda: trial.assign(seed=DEMO_SEED)),
        ("simulate  the schools' files in inbox/", lambda: simulate_trial_inputs(folder, seed=seed, progress=progress)),
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
