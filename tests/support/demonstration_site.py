"""A built site with a summary, a report, three countries and downloads, for the tests of the site and the browser."""

from __future__ import annotations

from pathlib import Path

from reports.documents import write_html, write_pdf
from reports.site import Download, Site, SiteDocument, build_site
from tests.support.demonstration import demonstration

COUNTRIES = ("Hungary", "Serbia", "Slovenia")


def demonstration_site(folder: Path, *, language: str = "en") -> Site:
    """Write the documents and downloads of a site into a folder and return the site that is to be made of them."""
    folder.mkdir(parents=True, exist_ok=True)
    brief, report = demonstration(layout="brief"), demonstration()
    wanted = [("evidence_summary", brief), ("experimental_report", report)]
    wanted += [(f"country_report_{country.lower()}", brief) for country in COUNTRIES]
    for name, document in wanted:
        write_html(document, folder / f"{name}.html", language=language)
        write_pdf(document, folder / f"{name}.pdf", language=language)
    (folder / "estimates.csv").write_text(
        "estimate_id,estimate\nprimary/all/difference/pilot,-0.021\n", encoding="utf-8"
    )
    (folder / "protocol & plan.toml").write_text('title = "Trial"\n', encoding="utf-8")
    return Site(
        title="CroCooS: an early warning system against early school leaving",
        subtitle="A randomised trial in Hungary, Serbia and Slovenia",
        facts=("62 schools", "11,482 pupils", "2027 to 2029"),
        language=language,
        documents=tuple(_document(folder, name, document.title.text) for name, document in wanted),
        downloads=(
            Download(
                label="Estimates",
                path=folder / "estimates.csv",
                description="Every estimate, one per row, with its id.",
            ),
            Download(
                label="Protocol",
                path=folder / "protocol & plan.toml",
                description="Design, outcomes and analysis plan.",
            ),
        ),
    )


def built_site(folder: Path) -> Path:
    """Build the demonstration's site below a folder and return where it is."""
    site = folder / "site"
    build_site(site, site=demonstration_site(folder / "documents"))
    return site


def _document(folder: Path, name: str, title: str) -> SiteDocument:
    html, pdf = folder / f"{name}.html", folder / f"{name}.pdf"
    if name == "evidence_summary":
        return SiteDocument(title=title, kind="summary", html=html, pdf=pdf, summary="Two pages for those who decide.")
    if name == "experimental_report":
        return SiteDocument(title=title, kind="report", html=html, pdf=pdf)
    return SiteDocument(title=title, kind="country", html=html, pdf=pdf, country=name.rpartition("_")[2].title())
