"""publish: a folder that opens offline in a browser."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from data_schema.errors import StaleError
from evaluation.named_in_log import find_changes_since_log
from evaluation.provenance import hash_stage_outputs, stage_folder
from evaluation.stages import inputs_of, require
from evaluation.stages.order import hash_audit_claim
from evaluation.stages.report import PUBLISHED, ReportFile, find_trial_documents
from evaluation.trial_log import Event, build_log_announcement

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.folder import TrialFolder
    from reports.claims import AuditClaim
    from reports.site import Download, SiteDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The site, the page to open first, and what was solved for before it was made.

    Parameters
    ----------
    folder, start
        The site, and its first page.
    n_numbers
        Numbers of pupils in the documents of all languages and the table of estimates combined.
    n_cells
        Numbers of pupils, printed or not, of which it was tried whether they follow; none below the threshold does.
    audit
        What the log tells of audits of what is published.
    """

    folder: Path
    start: Path
    n_numbers: int
    n_cells: int
    audit: AuditClaim

    def to_dict(self) -> dict[str, object]:
        """Return the values as JSON values."""
        return {
            "folder": str(self.folder),
            "start": str(self.start),
            "n_numbers": self.n_numbers,
            "n_cells": self.n_cells,
            "audit": asdict(self.audit),
        }


def publish(trial: TrialFolder, *, until: int | None = None) -> Published:
    """Make the site from the documents that `report` wrote.

    Parameters
    ----------
    trial
        Locked by the caller.
    until
        Number of the first line of the log that the site says nothing of: it is made as it was before; None for none.

    Raises
    ------
    StaleError
        When the documents are missing or rest on something that has changed, or anything else that was made, such as
        data, balance, results, documents or an export, is not as the log names it.
    DisclosureError
        When a number of pupils below the threshold follows from what the documents print together.
    """
    from evaluation.claims import find_matching_audits
    from evaluation.stages.release import build_release
    from reports.claims import describe_audit
    from reports.release.gate import check_release
    from reports.site import Site, build_site
    from reports.words import words

    _refuse_edited(trial)
    require(trial, "publish")
    solved = check_release(build_release(trial))
    audit = find_matching_audits(trial, until=until)
    protocol = trial.protocol
    language = protocol.reports.languages[0]
    site = Site(
        title=protocol.trial.title,
        subtitle=protocol.trial.intervention,
        language=language,
        practice=trial.is_practice,
        documents=tuple(
            _read_site_document(trial, item) for item in find_trial_documents(protocol) if item.language == language
        ),
        downloads=collect_downloads(trial),
        facts=(describe_audit(audit, words(language)),),
    )
    announce = None
    if trial.log().is_usable:
        announce = build_log_announcement(
            trial, Event.PUBLISHED, lambda folder: {"site_sha256": hash_stage_outputs(folder)}, again=False
        )
    inputs = {**inputs_of(trial, "publish"), **hash_audit_claim(audit)}
    with stage_folder(trial.paths.site, stage="publish", inputs=inputs, announce=announce) as folder:
        build_site(folder, site=site)
    return Published(
        folder=trial.paths.site,
        start=trial.paths.site / "index.html",
        n_numbers=solved.n_numbers,
        n_cells=solved.n_cells,
        audit=audit,
    )


def _refuse_edited(trial: TrialFolder) -> None:
    """Refuse what is not as the log names it: a file may have been edited together with the record of its stage."""
    for changed_item in find_changes_since_log(trial):
        again = f"Bring it back from a copy, or make it again: `crocoos {changed_item.command}`."
        raise StaleError(
            "publish", changed_item.problem, again if changed_item.command else "Bring it back from a copy."
        )


def _read_site_document(trial: TrialFolder, item: ReportFile) -> SiteDocument:
    from reports.documents import read_document
    from reports.site import SiteDocument

    path = trial.paths.reports / item.stem
    return SiteDocument(
        title=read_document(path.with_name(f"{item.stem}.ipynb")).title.text,
        kind=item.kind,
        country=trial.protocol.countries.get(item.country, ""),
        html=path.with_name(f"{item.stem}.html"),
        pdf=path.with_name(f"{item.stem}.pdf"),
    )


def collect_downloads(trial: TrialFolder) -> tuple[Download, ...]:
    """Return what the site offers to download: nothing about a single pupil or school, but the draw's own record."""
    from reports.site import Download
    from reports.writers.practice import get_practice_words

    heading = get_practice_words(trial.protocol.reports.languages[0]).comment() if trial.is_practice else ""
    return (
        Download(
            label="Estimates",
            path=trial.paths.reports / PUBLISHED,
            description="Every estimate of the reports, one row each, with its id, its model and its interval (CSV).",
        ),
        Download(
            label="Protocol",
            path=trial.paths.protocol,
            description="What was planned, in the form that the toolkit runs (TOML).",
            heading=heading,
        ),
    )
