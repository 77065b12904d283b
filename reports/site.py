"""The published site: a folder that opens offline in a browser, by its ``index.html``.

Every link is relative and everything that a page needs is in the folder, so that it can be opened from a disk, put on
any web server, or packed and sent. There are no scripts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from data_schema.errors import ReportError
from data_schema.files import build_storage_error, write_whole
from data_schema.language import Catalogue, Language
from reports.writers.html import (
    FACES,
    SITE_MARK,
    load_stylesheet,
    render_font_face,
    render_practice_style,
    render_scroll_box,
    text,
)
from reports.writers.practice import get_practice_words

_MANIFEST = "site.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDocument:
    """A document of a site.

    Parameters
    ----------
    title
        What readers click on: the document's title, which carries the finding.
    kind
        "summary" for the pages for policymakers, "report" for the full report, "country" for a country's.
    html, pdf
        Its files, as `reports.documents` wrote them.
    country
        The country's name in the site's language; empty for all countries together.
    label
        The sort of document, such as "Country report"; the site's own word for the kind when empty.
    summary
        A sentence on what it holds; may be empty.
    """

    title: str
    kind: Literal["summary", "report", "country"]
    html: Path
    pdf: Path
    country: str = ""
    label: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that readers may take: its name in words, where it lies now, and what is in it.

    ``heading`` is put before the content of a text, such as that the data are simulated.
    """

    label: str
    path: Path
    description: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a site consists of.

    Parameters
    ----------
    title
        The trial's title.
    language
        Code of the language that the site's own pages are in.
    documents
        In the order in which they are listed.
    downloads
        In the order in which they are listed.
    subtitle
        A sentence under the title.
    practice
        Whether it is of a practice trial: every page then says that the data are simulated.
    facts
        Short lines under the title, such as the number of schools.
    """

    title: str
    language: str
    documents: tuple[SiteDocument, ...]
    downloads: tuple[Download, ...] = ()
    subtitle: str = ""
    practice: bool = False
    facts: tuple[str, ...] = ()


def build_site(folder: Path, *, site: Site) -> None:
    """Write a site into a new or empty folder; whoever replaces an older site swaps the folders.

    The folder holds ``index.html``, ``countries.html``, ``downloads.html``, the documents, the downloads, fonts and
    styles, and ``site.json`` with every file's SHA-256. The same inputs give the same bytes.

    Parameters
    ----------
    folder
        Where the site goes.
    site
        What it consists of.

    Raises
    ------
    ReportError
        When the folder holds something, or two documents or downloads have one file name.
    StorageError
        When a file cannot be read, or the folder cannot be written to.
    """
    files = _build_site_files(site)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ReportError(str(folder), "there is something in its place.", "Give the site an empty folder.")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise build_storage_error(folder, error) from error
    for name, content in files.items():
        write_whole(folder / name, content)


def _build_site_files(site: Site) -> dict[str, bytes]:
    """Return every file of the site, by its path in the folder."""
    _check_names([d.html.name for d in site.documents] + [d.pdf.name for d in site.documents])
    _check_names([download.path.name for download in site.downloads])
    pages = _Pages(site)
    files: dict[str, bytes] = _load_assets()
    for document in site.documents:
        page = _read(document.html).decode("utf-8").replace(SITE_MARK, pages.links(above="../"), 1)
        files[f"documents/{document.html.name}"] = page.encode("utf-8")
        files[f"documents/{document.pdf.name}"] = _read(document.pdf)
    for download in site.downloads:
        files[f"downloads/{download.path.name}"] = download.heading.encode("utf-8") + _read(download.path)
    sizes = {name: len(content) for name, content in files.items()}
    files |= {name: page.encode("utf-8") for name, page in pages.all(sizes).items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    listed = ({"simulated": get_practice_words("en").mark} if site.practice else {}) | {"files": hashes}
    return files | {_MANIFEST: (json.dumps(listed, indent=1) + "\n").encode("utf-8")}


def _check_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise ReportError(
                f"The file '{name}'", "the site has two files of this name.", "Give them different names."
            )
        seen.add(name.casefold())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise build_storage_error(path, error) from error


def _load_assets() -> dict[str, bytes]:
    """Return fonts with their licence, and the style sheets."""
    fonts = resources.files("reports") / "assets" / "fonts"
    names = [f"SourceSans3-{face}.woff2" for _, _, face in FACES] + ["LICENSE.md"]
    faces = "\n".join(
        render_font_face(style, weight, source=f"fonts/SourceSans3-{face}.woff2") for style, weight, face in FACES
    )
    site_rules = (resources.files("reports") / "assets" / "site.css").read_text(encoding="utf-8")
    sheet = f"{faces}\n{load_stylesheet()}\n{site_rules}"
    return {"assets/site.css": sheet.encode("utf-8")} | {
        f"assets/fonts/{name}": (fonts / name).read_bytes() for name in names
    }


class _Pages:
    """The site's own pages."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.language = Language(site.language)
        self.catalogue = Catalogue("reports", self.language)
        self.practice = get_practice_words(site.language) if site.practice else None
        self.kinds = {
            "summary": self.catalogue.text("Evidence summary"),
            "report": self.catalogue.text("Full report"),
            "country": self.catalogue.text("Country report"),
        }
        self.by_country = [document for document in site.documents if document.kind == "country"]
        self.countries = list(dict.fromkeys(document.country for document in self.by_country))

    def links(self, *, above: str = "", here: str = "") -> str:
        """Return the line of links above every page."""
        summary = next((d for d in self.site.documents if d.kind == "summary"), None)
        targets = [("index.html", self.catalogue.text("Start"))]
        if summary is not None:
            targets.append((f"documents/{quote(summary.html.name)}", self.kinds["summary"]))
        if self.by_country:
            targets.append(("countries.html", self.catalogue.text("Countries")))
        if self.site.downloads:
            targets.append(("downloads.html", self.catalogue.text("Downloads")))
        current = ' aria-current="page"'
        items = "".join(
            f'<a href="{text(above + target)}"{current if target == here else ""}>{text(label)}</a>'
            for target, label in targets
        )
        return (
            f'<nav class="site" aria-label="{text(self.catalogue.text("Site"))}"><div>'
            f'<span class="home">{text(self.site.title)}</span>{items}</div></nav>'
        )

    def all(self, sizes: dict[str, int]) -> dict[str, str]:
        """Return the pages by their file names; ``sizes`` are the sizes of the files that they link to."""
        pages = {"index.html": self._render_page("index.html", self.site.title, self._render_start_page(sizes))}
        if self.by_country:
            pages["countries.html"] = self._render_page(
                "countries.html", self.catalogue.text("Countries"), self._render_countries_page(sizes)
            )
        if self.site.downloads:
            pages["downloads.html"] = self._render_page(
                "downloads.html", self.catalogue.text("Downloads"), self._render_downloads_page(sizes)
            )
        return pages

    def _render_start_page(self, sizes: dict[str, int]) -> str:
        main = [document for document in self.site.documents if document.kind != "country"]
        parts = ["".join(self._render_card(document, sizes, lead=place == 0) for place, document in enumerate(main))]
        if self.by_country:
            items = "".join(
                f'<li><a href="countries.html#{text(_format_country_anchor(place))}">{text(country)}</a></li>'
                for place, country in enumerate(self.countries)
            )
            parts.append(f"<h2>{text(self.catalogue.text('Countries'))}</h2>\n<ul class='places'>{items}</ul>")
        if self.site.downloads:
            n = len(self.site.downloads)
            words = self.catalogue.plural("{n} file to download", "{n} files to download", n)
            parts.append(
                f'<h2>{text(self.catalogue.text("Downloads"))}</h2>\n<p><a href="downloads.html">{text(words)}</a></p>'
            )
        return "\n".join(parts)

    def _render_countries_page(self, sizes: dict[str, int]) -> str:
        parts = []
        for place, country in enumerate(self.countries):
            documents = [document for document in self.by_country if document.country == country]
            cards = "".join(self._render_card(document, sizes) for document in documents)
            parts.append(
                f'<section aria-labelledby="{_format_country_anchor(place)}">'
                f'<h2 id="{_format_country_anchor(place)}">{text(country)}</h2>{cards}</section>'
            )
        return "\n".join(parts)

    def _render_downloads_page(self, sizes: dict[str, int]) -> str:
        heads = "".join(
            f'<th scope="col">{text(head)}</th>'
            for head in (self.catalogue.text("File"), self.catalogue.text("What is in it"))
        )
        size_head = f'<th scope="col" class="right">{text(self.catalogue.text("Size"))}</th>'
        rows = "".join(
            f'<tr><th scope="row"><a href="downloads/{text(quote(d.path.name))}" download>{text(d.label)}</a></th>'
            f"<td>{text(d.description)}</td>"
            f'<td class="right">{_format_file_size(sizes[f"downloads/{d.path.name}"])}</td></tr>'
            for d in self.site.downloads
        )
        caption = f'<caption id="files"><span>{text(self.catalogue.text("Files to download"))}</span></caption>'
        table = f"<table>{caption}<thead><tr>{heads}{size_head}</tr></thead><tbody>{rows}</tbody></table>"
        return f'<div class="table">{render_scroll_box(table, labelled_by="files")}</div>'

    def _render_card(self, document: SiteDocument, sizes: dict[str, int], *, lead: bool = False) -> str:
        page, pdf = (f"documents/{quote(path.name)}" for path in (document.html, document.pdf))
        size = _format_file_size(sizes[f"documents/{document.pdf.name}"])
        summary = f"<p>{text(document.summary)}</p>" if document.summary else ""
        pdf_name = text(self.catalogue.text("PDF of {title}", title=document.title))
        return (
            f'<article class="card{" lead-card" if lead else ""}">'
            f'<p class="card-kind">{text(document.label or self.kinds[document.kind])}</p>'
            f'<p class="card-title"><a href="{text(page)}">{text(document.title)}</a></p>{summary}'
            f'<p class="card-file"><a href="{text(pdf)}" aria-label="{pdf_name}, {size}">PDF</a> {size}</p>'
            "</article>\n"
        )

    def _render_page(self, name: str, title: str, body: str) -> str:
        is_start = name == "index.html"
        subtitle = f'<p class="subtitle">{text(self.site.subtitle)}</p>' if is_start and self.site.subtitle else ""
        listed = _render_fact_list(self.site.facts) if is_start else ""
        heading = title if is_start else f"{title} · {self.site.title}"
        practice = self.practice
        style = f"\n<style>{render_practice_style(practice)}\n</style>" if practice else ""
        return f"""<!doctype html>
<html lang="{text(self.language.tag)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(practice.titled(heading) if practice else heading)}</title>
<link rel="stylesheet" href="assets/site.css">{style}
</head>
<body class="start{" practice" if practice else ""}">
<a class="skip" href="#page-text">{text(self.catalogue.text("Skip to the text"))}</a>
{self.links(here=name)}{practice.aside() if practice else ""}
<header class="title-block"><div>
<h1>{text(title)}</h1>{subtitle}{listed}
</div></header>
<div class="page">
<main id="page-text" tabindex="-1">
{body}
</main>
</div>
</body>
</html>
"""


def _render_fact_list(facts: Iterable[str]) -> str:
    items = "".join(f"<li>{text(fact)}</li>" for fact in facts)
    return f'<ul class="facts">{items}</ul>' if items else ""


def _format_country_anchor(place: int) -> str:
    return f"country-{place + 1}"


def _format_file_size(n_bytes: int) -> str:
    """Return a file's size in whole kilobytes or megabytes."""
    kilo, mega = 1_000, 1_000_000
    return f"{max(1, round(n_bytes / kilo))} kB" if n_bytes < mega else f"{round(n_bytes / mega)} MB"
