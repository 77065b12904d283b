from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from data_schema.errors import ReportError, StorageError
from reports.site import Download, Site, SiteDocument, build_site
from tests.support.demonstration_site import COUNTRIES, built_site, demonstration_site
from tests.support.html_tree import parse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a built site."""
    return built_site(tmp_path_factory.mktemp("site"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def small(folder: Path, *, title: str = "Trial") -> Site:
    """Return a site of one summary."""
    folder.mkdir(exist_ok=True)
    (folder / "s.html").write_text("<!doctype html><html><body><!--site--><p>text</p></body></html>", encoding="utf-8")
    (folder / "s.pdf").write_bytes(b"%PDF-1.7")
    document = SiteDocument(title="Finding", kind="summary", html=folder / "s.html", pdf=folder / "s.pdf")
    return Site(title=title, language="en", documents=(document,))


def test_every_link_of_every_page_leads_to_a_file_of_the_site_and_to_an_anchor_in_it(folder: Path) -> None:
    n_links = 0
    for page in folder.rglob("*.html"):
        tree = parse(page.read_text(encoding="utf-8"))
        addresses = [e.attributes[name] for e in tree.elements for name in ("href", "src") if name in e.attributes]
        for address in addresses:
            parts = urlsplit(address)
            if parts.scheme in {"https", "data"}:
                continue
            assert not parts.scheme
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            assert target.is_file(), f"{page.name}: {address}"
            assert target.is_relative_to(folder.resolve())
            if parts.fragment:
                assert unquote(parts.fragment) in parse(target.read_text(encoding="utf-8")).ids
            n_links += 1
    assert n_links > 60


def test_every_document_and_download_can_be_reached_from_the_start_page(folder: Path) -> None:
    reached: set[Path] = set()
    waiting = [folder / "index.html"]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached:
            continue
        reached.add(page)
        if page.suffix == ".html":
            links = [a.attributes["href"] for a in parse(page.read_text(encoding="utf-8")).all("a")]
            waiting += [
                page.parent / unquote(urlsplit(link).path)
                for link in links
                if not urlsplit(link).scheme and urlsplit(link).path
            ]
    given = {path.resolve() for part in ("documents", "downloads") for path in (folder / part).iterdir()}
    assert given <= reached
    assert len(given) == 12


def test_documents_carry_the_line_of_links_and_lead_back(folder: Path) -> None:
    tree = parse((folder / "documents" / "evidence_summary.html").read_text(encoding="utf-8"))
    (line,) = [nav for nav in tree.all("nav") if nav.attributes.get("class") == "site"]
    assert "CroCooS" in line.text
    links = [a.attributes["href"] for a in tree.all("a") if "nav" in a.inside]
    assert links[:4] == [
        "../index.html",
        "../documents/evidence_summary.html",
        "../countries.html",
        "../downloads.html",
    ]


def test_a_document_s_own_file_stays_without_the_line_of_links(tmp_path: Path) -> None:
    site = demonstration_site(tmp_path / "documents")
    before = site.documents[0].html.read_bytes()
    build_site(tmp_path / "site", site=site)
    assert site.documents[0].html.read_bytes() == before
    assert b"<nav" not in before


def test_pages_say_where_the_reader_is(folder: Path) -> None:
    for name in ("index.html", "countries.html", "downloads.html"):
        tree = parse((folder / name).read_text(encoding="utf-8"))
        assert [a.attributes["href"] for a in tree.all("a") if "aria-current" in a.attributes] == [name]
        assert tree.unbalanced == []
        assert len(tree.all("h1")) == len(tree.all("main")) == 1


def test_countries_are_listed_in_the_order_given(folder: Path) -> None:
    tree = parse((folder / "countries.html").read_text(encoding="utf-8"))
    assert [h2.text for h2 in tree.all("h2")] == list(COUNTRIES)
    start = parse((folder / "index.html").read_text(encoding="utf-8"))
    assert [a.text for a in start.all("a") if a.attributes["href"].startswith("countries.html#")] == list(COUNTRIES)


def test_the_list_of_files_holds_the_hash_of_every_other_file(folder: Path) -> None:
    files = content(folder)
    listed = json.loads(files.pop("site.json"))["files"]
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_the_same_inputs_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert content(built_site(tmp_path)) == content(folder)


def test_fonts_come_with_their_licence(folder: Path) -> None:
    licence = (folder / "assets" / "fonts" / "LICENSE.md").read_text(encoding="utf-8")
    assert "SIL Open Font License" in licence
    assert "@font-face" in (folder / "assets" / "site.css").read_text(encoding="utf-8")


def test_a_site_without_countries_and_downloads_has_no_pages_and_links_for_them(tmp_path: Path) -> None:
    build_site(tmp_path / "site", site=small(tmp_path / "small"))
    start = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "countries.html" not in start
    assert "downloads.html" not in start


def test_what_stands_in_the_place_of_a_site_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.docx").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for name in ("site", "file"):
        with pytest.raises(ReportError, match="there is something in its place"):
            build_site(tmp_path / name, site=small(tmp_path / "small"))
    assert (tmp_path / "site" / "thesis.docx").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_missing_document_is_named_before_anything_is_written(tmp_path: Path) -> None:
    site = small(tmp_path / "small")
    site.documents[0].pdf.unlink()
    with pytest.raises(StorageError, match=r"s\.pdf: there is no such file"):
        build_site(tmp_path / "site", site=site)
    assert not (tmp_path / "site").exists()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int) -> None:  # noqa: ARG001 (the system's signature)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="disk is full"):
        build_site(tmp_path / "site", site=small(tmp_path / "small"))


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    build_site(tmp_path / "site", site=small(tmp_path / "small"))
    assert (tmp_path / "site" / "index.html").is_file()


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    site = small(tmp_path / "small")
    with pytest.raises(ReportError, match=r"The file 's\.html': the site has two files of this name"):
        build_site(tmp_path / "site", site=replace(site, documents=site.documents * 2))
    downloads = tuple(Download(label="D", path=tmp_path / folder / "Data.csv") for folder in ("a", "b"))
    with pytest.raises(ReportError, match=r"Data\.csv"):
        build_site(tmp_path / "site", site=replace(site, downloads=downloads))
    assert not (tmp_path / "site").exists()


def test_titles_and_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    base = small(tmp_path / "small", title='<script>x</script>"')
    odd = tmp_path / "small" / 'a "b" <c> #1 & ž.csv'
    odd.write_text("x", encoding="utf-8")
    document = replace(base.documents[0], title="<img src=x onerror=y>", country="</h2>", kind="country", summary="<b>")
    site = replace(base, documents=(document,), downloads=(Download(label="<i>", path=odd, description="<u>"),))
    build_site(tmp_path / "site", site=site)
    for page in ("index.html", "countries.html", "downloads.html"):
        tree = parse((tmp_path / "site" / page).read_text(encoding="utf-8"))
        assert tree.unbalanced == []
        assert not [e for e in tree.elements if e.tag in {"script", "img", "b", "i", "u"}]
    (link,) = [
        a.attributes["href"]
        for a in parse((tmp_path / "site" / "downloads.html").read_text(encoding="utf-8")).all("a")
        if "download" in a.attributes
    ]
    assert (tmp_path / "site" / unquote(link)).read_text(encoding="utf-8") == "x"


def test_every_word_of_the_site_goes_through_the_catalogue(tmp_path: Path) -> None:
    site = replace(demonstration_site(tmp_path / "documents"), language="qps")
    build_site(tmp_path / "site", site=site)
    given = {site.title, site.subtitle, *site.facts, *COUNTRIES, "PDF", "·"}
    given |= {d.title for d in site.documents} | {d.summary for d in site.documents}
    given |= {text for d in site.downloads for text in (d.label, d.description)}
    for page in ("index.html", "countries.html", "downloads.html"):
        tree = parse((tmp_path / "site" / page).read_text(encoding="utf-8"))
        leaves = [
            e.text.strip() for e in tree.elements if e.tag in {"a", "h1", "h2", "th", "caption", "p"} and e.text.strip()
        ]
        unknown = [t for t in leaves if t not in given and "⟦" not in t and not t.startswith("PDF")]
        assert unknown == []
