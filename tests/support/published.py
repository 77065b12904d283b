"""A trial's documents and site as they are published, made from evidence without running notebooks."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path

from evaluation.stages.impact import write_table
from reports import sections
from reports.documents import Document, write_html, write_pdf
from reports.evidence import Evidence
from reports.release.mending import suppress_recoverable
from reports.site import Download, Site, SiteDocument, build_site
from reports.tables.estimates import build_published_estimates
from tests.support.protocols import ROOT


@cache
def sections_of(template: str) -> tuple[str, ...]:
    """Return the sections that a report's notebook shows, in order."""
    cells = json.loads((ROOT / "notebooks" / "templates" / f"{template}.ipynb").read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells)
    return tuple(re.findall(r"sections\.(\w+)\(evidence, language\)", source))


def document_of(evidence: Evidence, template: str, *, only: Collection[str] = ()) -> Document:
    """Return a report as its notebook makes it, or some of its sections only."""
    names = [name for name in sections_of(template) if name in only or not only]
    made = [getattr(sections, name)(evidence, "en") for name in names]
    return Document(blocks=tuple(block for blocks in made for block in blocks))


def kinds_of(evidence: Evidence) -> dict[str, str]:
    """Return what values outcomes have: whole numbers all, which tells most."""
    return {outcome.name: "binary" if outcome.kind == "binary" else "whole" for outcome in evidence.outcomes}


def published_site(evidence: Evidence, folder: Path, *, only: Collection[str] = ()) -> Path:
    """Publish what the reports of a trial say: a report of all countries and of each, and the table of estimates.

    With some sections only, PDFs are not set, which takes longest: an empty file represents each.
    """
    evidence = suppress_recoverable(evidence, kinds_of(evidence))
    made = folder / "made"
    made.mkdir(parents=True)
    documents = []
    for country in ("", *(evidence.countries if len(evidence.countries) > 1 else ())):
        template = "country_report" if country else "experimental_report"
        path = made / f"{template}_{country}.html"
        document = document_of(replace(evidence, country=country), template, only=only)
        write_html(document, path, language="en")
        if only:
            path.with_suffix(".pdf").touch()
        else:
            write_pdf(document, path.with_suffix(".pdf"), language="en")
        kind = "country" if country else "report"
        label = evidence.countries.get(country, "")
        documents.append(
            SiteDocument(title=document.title.text, kind=kind, html=path, pdf=path.with_suffix(".pdf"), country=label)  # type: ignore[arg-type]
        )
    write_table(build_published_estimates(evidence), made / "estimates.csv")
    downloads = (Download(label="Estimates", path=made / "estimates.csv"),)
    site = Site(title=evidence.title, language="en", documents=tuple(documents), downloads=downloads)
    build_site(folder / "site", site=site)
    return folder / "site"
