"""Where things are in a trial's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.trial_log import LOG


@dataclass(frozen=True, kw_only=True)
class TrialPaths:
    """Where things are in a trial's folder."""

    root: Path

    @property
    def protocol(self) -> Path:
        """The protocol."""
        return self.root / "trial.toml"

    @property
    def log(self) -> Path:
        """The log: what happened, line by line."""
        return self.root / LOG

    @property
    def plan(self) -> Path:
        """The frozen plan."""
        return self.root / "plan"

    @property
    def allocation(self) -> Path:
        """The draw and its record."""
        return self.root / "allocation"

    @property
    def inbox(self) -> Path:
        """Files as schools sent them."""
        return self.root / "inbox"

    @property
    def store(self) -> Path:
        """The trial's database and what intake has to say."""
        return self.root / "store"

    @property
    def private(self) -> Path:
        """The pseudonyms' key and the encrypted key table."""
        return self.root / "private"

    @property
    def balance(self) -> Path:
        """The balance report."""
        return self.root / "balance"

    @property
    def results(self) -> Path:
        """The estimates."""
        return self.root / "results"

    @property
    def reports(self) -> Path:
        """Executed notebooks and the documents made from them."""
        return self.root / "output" / "reports"

    @property
    def power(self) -> Path:
        """What the trial can find."""
        return self.root / "output" / "power"

    @property
    def export(self) -> Path:
        """Data of each country, for its own people."""
        return self.root / "output" / "export"

    @property
    def forms(self) -> Path:
        """Entry workbooks for schools, with identifiers of their pupils."""
        return self.private / "forms"

    @property
    def letters(self) -> Path:
        """The certificate of the draw and the lists for letters to schools."""
        return self.root / "output" / "allocation"

    @property
    def site(self) -> Path:
        """The published site."""
        return self.root / "output" / "site"
