"""report: run the notebooks and make documents of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Literal

from evaluation.mode import mark_practice_table
from evaluation.provenance import hash_stage_outputs, stage_folder
from evaluation.stages import inputs_of, require
from evaluation.trial_log import Event, build_log_announcement

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.folder import TrialFolder
    from evaluation.protocol import Protocol

PUBLISHED = "estimates.csv"
"""The table of estimates that may be published, in the folder of the documents."""

Kind = Literal["summary", "report", "country"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """One document of a trial: which template, about which country, in which language."""

    kind: Kind
    template: str
    country: str
    language: str

    @property
    def stem(self) -> str:
        """Name of its files, without a suffix."""
        about = f"_{self.country}" if self.country else ""
        return f"{self.template}{about}.{self.language}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The documents that were made, in output/reports."""

    folder: Path
    documents: tuple[ReportFile, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the folder and the documents' files as JSON values."""
        names = [f"{document.stem}{suffix}" for document in self.documents for suffix in (".html", ".pdf")]
        return {"folder": str(self.folder), "documents": names}


def find_trial_documents(protocol: Protocol) -> tuple[ReportFile, ...]:
    """Return the documents of a trial: a summary and a report in each language, and a report of each country.

    A trial in one country has no country report: it would say what the report says.
    """
    return tuple(_iterate_documents(protocol))


def _iterate_documents(protocol: Protocol) -> Iterator[ReportFile]:
    for language in protocol.reports.languages:
        yield ReportFile(kind="summary", template="evidence_summary", country="", language=language)
        yield ReportFile(kind="report", template="experimental_report", country="", language=language)
        for country in protocol.countries if len(protocol.countries) > 1 else ():
            yield ReportFile(kind="country", template="country_report", country=country, language=language)


def report(trial: TrialFolder) -> Reported:
    """Run every notebook and write its document as HTML and PDF.

    Raises
    ------
    StaleError
        When the results are missing or rest on something that has changed.
    ReportError
        When a notebook fails; the documents of before stay as they were.
    """
    require(trial, "report")
    documents = find_trial_documents(trial.protocol)
    inputs = inputs_of(trial, "report")
    with stage_folder(
        trial.paths.reports, stage="report", inputs=inputs, announce=_build_announcement(trial)
    ) as folder:
        for place, document in enumerate(documents):
            trial.progress(f"writing {document.stem}", place, len(documents))
            _make(trial, document, folder)
        _write_estimates(trial, folder / PUBLISHED)
        trial.progress("writing reports", len(documents), len(documents))
    return Reported(folder=trial.paths.reports, documents=documents)


def _build_announcement(trial: TrialFolder) -> Callable[[Path], None] | None:
    """Return what adds the line of the log; None where the log is missing or broken, which the documents say."""
    if not trial.log().is_usable:
        return None
    return build_log_announcement(
        trial, Event.REPORTED, lambda folder: {"documents_sha256": hash_stage_outputs(folder)}, again=False
    )


def _write_estimates(trial: TrialFolder, path: Path) -> None:
    """Write the table of estimates that may leave the trial's folder."""
    from evaluation.stages.evidence import evidence
    from evaluation.stages.impact import write_table
    from reports.tables.estimates import build_published_estimates

    write_table(mark_practice_table(trial, build_published_estimates(evidence(trial, country=""))), path)


def _make(trial: TrialFolder, document: ReportFile, folder: Path) -> None:
    from reports.documents import read_document, write_html, write_pdf
    from reports.execution import run_notebook
    from reports.writers.practice import get_practice_words

    notebook = (folder / f"{document.stem}.ipynb").resolve()
    with as_file(files("notebooks") / "templates" / f"{document.template}.ipynb") as template:
        run_notebook(
            template,
            notebook,
            parameters={"folder": ".", "country": document.country, "language": document.language},
            working_folder=trial.paths.root,
            notice=get_practice_words(document.language).markdown() if trial.is_practice else "",
        )
    read_notebook = read_document(notebook, practice=trial.is_practice)
    write_html(read_notebook, notebook.with_suffix(".html"), language=document.language)
    write_pdf(read_notebook, notebook.with_suffix(".pdf"), language=document.language)
