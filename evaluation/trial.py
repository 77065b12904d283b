"""A trial is a folder; this opens it. One method a stage, each a call of the stage's own function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.folder import T, TrialFolder
from evaluation.frame_persons import check_reason
from evaluation.provenance import is_busy, lock_trial_for_writing, repair_after_kill
from evaluation.sealing import Unlocked, is_vault_unsettled, open_for, restore_vault_state

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.audit import Audited
    from evaluation.data_pages import Written
    from evaluation.decisions import FrozenWave
    from evaluation.frozen_plan import PlanState
    from evaluation.power_assumptions import Assumptions
    from evaluation.proposed_rules import Proposals
    from evaluation.requests import Forms
    from evaluation.stages.certificate import Certified
    from evaluation.stages.collect import Collected
    from evaluation.stages.decide import Erasure
    from evaluation.stages.order import StageStatus
    from evaluation.stages.power import PowerStatement
    from evaluation.stages.publish import Published
    from evaluation.stages.report import Reported
    from evaluation.stages.verify import Verified
    from randomisation.commitment import Commitment
    from randomisation.draw import Allocation
    from randomisation.later import Replacement
    from randomisation.log import LogEntry
    from reports.evidence import Evidence


@dataclass(frozen=True)
class Trial(TrialFolder):
    """A trial's folder, its protocol and its stages; its parameters are those of `evaluation.folder.TrialFolder`.

    Examples
    --------
    >>> Trial("no")
    Traceback (most recent call last):
    ...
    data_schema.errors.ProtocolError: no: there is no such folder. Name another, or make it: `crocoos init no`.
    """

    def once(self, name: str, files: Iterable[Path], read: Callable[[], T]) -> T:  # noqa: ARG002
        """Return what is read now: a trial may stay open for long, and only a command remembers what it has read."""
        return read()

    def status(self) -> tuple[StageStatus, ...]:
        """Return for every stage whether it is fresh, stale or missing, and why."""
        from evaluation.stages import statuses

        return statuses(self.snapshot())

    def begin_log_again(self, *, reason: str) -> LogEntry:
        """Begin a log again that is lost for good; every document will say that the earlier one is lost."""
        from evaluation.custody import restore_lost_log

        check_reason(self, reason)
        with lock_trial_for_writing(self.paths.root):
            restore_vault_state(self)
            return restore_lost_log(self, reason=reason)

    def accept_loss(self, *, reason: str) -> LogEntry:
        """Go on though the key of pseudonyms or the list of erased pupils was lost or changed: a line says why."""
        from evaluation.custody import resolve_custody_alarms

        check_reason(self, reason)
        with lock_trial_for_writing(self.paths.root):
            restore_vault_state(self)
            return resolve_custody_alarms(self, reason=reason)

    def settle(self) -> None:
        """Complete the sealing that a killed run has left half done; a run that is at it now does so itself."""
        if is_vault_unsettled(self) and not is_busy(self.paths.root):
            with lock_trial_for_writing(self.paths.root):
                restore_vault_state(self)

    @contextmanager
    def _lock_for_writing(self) -> Iterator[TrialFolder]:
        """Be the only run that writes, where nothing that keeps pupils out or apart is lost or changed."""
        from evaluation.custody import writing

        trial = self.snapshot()
        with writing(trial):
            yield trial

    @contextmanager
    def _open_for_writing(self, command: str) -> Iterator[TrialFolder]:
        """Be the only run that writes, with what is sealed open in memory."""
        with self._lock_for_writing() as trial, open_for(trial, command) as opened:
            yield opened

    def plan(self, *, freeze: bool = False, reason: str = "") -> PlanState:
        """Describe how the protocol stands to the frozen plan.

        Parameters
        ----------
        freeze
            Freeze the protocol as it is now.
        reason
            Why a plan that was frozen before is replaced; every document will tell.
        """
        from evaluation.stages.plan import plan

        check_reason(self, reason)
        with self._lock_for_writing() as trial:
            return plan(trial, freeze=freeze, reason=reason)

    def power(
        self,
        assumed: Assumptions | None = None,
        *,
        n_simulations: int = 0,
        effect: float | None = None,
        seed: str = "power",
    ) -> PowerStatement:
        """Describe what the trial can find in its primary outcome, by formula and, where asked for, by simulation.

        Parameters
        ----------
        assumed
            Correlations, covariates, losses, the risk without the intervention.
        n_simulations
            Simulated trials; 0 for none.
        effect
            True effect that is simulated, 0 for none; the smallest that can be found where None.
        seed
            Text that settles the simulation.
        """
        from evaluation.power_assumptions import Assumptions
        from evaluation.stages.power import power

        with self._lock_for_writing() as trial:
            return power(trial, assumed or Assumptions(), n_simulations=n_simulations, effect=effect, seed=seed)

    def assign(self, *, seed: str = "", reason: str = "") -> Allocation:
        """Draw the schools' arms, or adopt the draw that was made elsewhere.

        Parameters
        ----------
        seed
            Text that the draw is made from; that of the protocol when empty.
        reason
            Why the draw is made again; needed when one was made before.
        """
        from evaluation.stages.assign import assign

        check_reason(self, reason)
        with self._lock_for_writing() as trial:
            return assign(trial, seed=seed, reason=reason)

    def add_late(self, file: str | Path, *, seed: str, reason: str = "") -> Allocation:
        """Draw late schools by the trial's design, among one another; the earlier draws stay as they are.

        Parameters
        ----------
        file
            The late schools, in a table like the sampling frame.
        seed
            A seed of its own, from another public draw.
        reason
            Why they come late.
        """
        from evaluation.stages.later import add

        check_reason(self, reason)
        with self._lock_for_writing() as trial:
            return add(trial, Path(file), seed=seed, reason=reason)

    def replace_school(self, school: str, *, seed: str, reason: str) -> Replacement:
        """Draw which reserve takes the place and the arm of a school that withdrew before the start.

        Parameters
        ----------
        school
            The school that withdrew.
        seed
            A seed from a public draw.
        reason
            Why it withdrew.
        """
        from evaluation.stages.later import replace

        check_reason(self, reason)
        with self._lock_for_writing() as trial:
            return replace(trial, school, seed=seed, reason=reason)

    def commit(self, *, seed_source: str = "", reason: str = "") -> Commitment:
        """Fix the schools and the design of the draw before there is a seed, and log their hash.

        Parameters
        ----------
        seed_source
            Where the seed will come from.
        reason
            Why an earlier commitment or draw is replaced.
        """
        from evaluation.stages.commit import freeze_next_draw

        check_reason(self, reason)
        with self._lock_for_writing() as trial:
            return freeze_next_draw(trial, seed_source=seed_source, reason=reason)

    def reveal(self, *, seed: str, reason: str = "") -> Allocation:
        """Draw what was committed to, now that there is a seed."""
        from evaluation.stages.assign import assign

        check_reason(self, reason)
        with self._lock_for_writing() as trial:
            return assign(trial, seed=seed, reason=reason, reveal=True)

    def verify(self) -> Verified:
        """Draw again from the record and compare; check the log's chain, and that it names what is in the folder."""
        from evaluation.stages.verify import verify

        repair_after_kill(self.paths.root)
        self.settle()
        return verify(self.snapshot())

    def audit(self) -> Audited:
        """Make everything again from inbox and record in a clean folder, and compare every file."""
        from evaluation.audit import verify_by_replay

        with self._open_for_writing("audit") as trial:
            return verify_by_replay(trial)

    def certificate(self) -> Certified:
        """Write a page about the draw for the meeting to sign, and each arm's list of schools for letters."""
        from evaluation.stages.certificate import write_certificates

        with self._lock_for_writing() as trial:
            return write_certificates(trial)

    def balance(self) -> pd.DataFrame:
        """Compare the arms before the trial: schools, and pupils once there are data of them."""
        from evaluation.stages.balance import balance

        with self._lock_for_writing() as trial:
            return balance(trial)

    def collect(self) -> Collected:
        """Read the files in inbox/: checked, repaired, pseudonymised, stored."""
        from evaluation.stages.collect import collect
        from evaluation.stages.decide import execute_begun_erasures

        with self._open_for_writing("collect") as trial:
            collected = collect(trial)
            execute_begun_erasures(trial)
            return collected

    def withdraw(self, *, file: str, reason: str, superseded_by: str = "") -> None:
        """Keep the rows of a file of the inbox out, or have another file take its place; the file stays."""
        from evaluation.stages.decide import withdraw

        check_reason(self, reason)
        with self._open_for_writing("withdraw") as trial:
            withdraw(trial, file=file, reason=reason, superseded_by=superseded_by)

    def restore(self, *, file: str, reason: str) -> None:
        """Take a file in again that was withdrawn."""
        from evaluation.stages.decide import restore

        check_reason(self, reason)
        with self._open_for_writing("withdraw --restore") as trial:
            restore(trial, file=file, reason=reason)

    def freeze(self, *, wave: str) -> FrozenWave:
        """Freeze the data of a wave: files and answers that come later change nothing in it."""
        from evaluation.stages.decide import freeze

        with self._open_for_writing("freeze") as trial:
            return freeze(trial, wave=wave)

    def thaw(self, *, wave: str, reason: str) -> None:
        """Let the data of a frozen wave change again."""
        from evaluation.stages.decide import thaw

        check_reason(self, reason)
        with self._lock_for_writing() as trial:
            thaw(trial, wave=wave, reason=reason)

    def forms(self, *, wave: str, to: str | Path | None = None) -> Forms:
        """Write the schools' entry workbooks and XLSForms for a wave; with ``to``, hand copies out to be sent."""
        from evaluation.requests import write_forms

        with self._open_for_writing("forms") as trial:
            return write_forms(trial, wave=wave, to=None if to is None else Path(to))

    def propose(self, *, path: Path) -> Proposals:
        """Draft rules of the inbox for a file or a folder; nothing is written."""
        from evaluation.proposals import create_proposals

        return create_proposals(self.snapshot(), path)

    def returns(self) -> Written:
        """Write the page of returns: who has sent what, when, how complete it is, which questions are open."""
        from evaluation.data_pages import write_returns

        with self._open_for_writing("returns") as trial:
            return write_returns(trial)

    def codebook(self) -> Written:
        """Write what the tables hold, with frequencies that give nobody away."""
        from evaluation.data_pages import write_codebook

        with self._lock_for_writing() as trial:
            return write_codebook(trial)

    def checks(self, *, by_arm: bool = False) -> pd.DataFrame:
        """Look for what is odd in the stored data; ``by_arm`` compares missing values by arm, which may unblind."""
        from evaluation.data_products import check_data

        with self._lock_for_writing() as trial:
            return check_data(trial, by_arm=by_arm)

    def export(self, *, country: str, k: int | None = None) -> Written:
        """Write a country's own data, and no other's; with ``k``, so coarse that so many pupils are alike at least."""
        from evaluation.data_products import export

        with self._lock_for_writing() as trial:
            return export(trial, country=country, k=k)

    def erase(self, *, pupil: str, school: str = "") -> Erasure:
        """Erase a pupil, named by pseudonym or by school and identifier; a certificate says what was done."""
        from evaluation.stages.decide import erase

        with self._open_for_writing("erase") as trial:
            return erase(trial, pupil=pupil, school=school)

    def lock(self, *secrets: str) -> Path:
        """Seal what tells who is who; return the vault.

        Parameters
        ----------
        *secrets
            One for each opener that the protocol names, in its order: a passphrase, or a key of age. None where it is
            sealed already and its openers stay.
        """
        from evaluation.sealing import lock

        with self._open_for_writing("lock") as trial:
            return lock(trial, secrets)

    def unlock(self, *, for_good: bool = False) -> Unlocked:
        """See that the openers can open what is sealed; ``for_good`` puts it back in the clear."""
        from evaluation.sealing import unlock

        with self._lock_for_writing() as trial:
            return unlock(trial, for_good=for_good)

    def impact(self) -> pd.DataFrame:
        """Estimate every effect that the plan asks for and return the table of estimates."""
        from evaluation.stages.impact import estimate_impact

        with self._lock_for_writing() as trial:
            return estimate_impact(trial)

    def evidence(self, *, country: str = "") -> Evidence:
        """Return everything that a report may state, about one country or (``country=""``) all."""
        from evaluation.stages.evidence import evidence

        return evidence(self.snapshot(), country=country)

    def report(self) -> Reported:
        """Run the report notebooks and write their documents."""
        from evaluation.stages.report import report

        with self._lock_for_writing() as trial:
            return report(trial)

    def publish(self) -> Published:
        """Make the site that opens offline in a browser."""
        from evaluation.stages.publish import publish

        with self._lock_for_writing() as trial:
            return publish(trial)
