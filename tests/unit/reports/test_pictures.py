from __future__ import annotations

import pytest

from data_schema.errors import ReportError
from reports.blocks import Figure, convert_to_spans
from reports.writers.pictures import Picture, clean_svg

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36pt">'


def checked(svg: str, *, alt: str = "A picture") -> Picture:
    return clean_svg(Figure(svg=svg, caption=convert_to_spans("Caption"), alt=alt))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ('width="72pt" height="36pt"', (96, 48)),
        ('width="100" height="50px"', (100, 50)),
        ('width="2in" height="1in"', (192, 96)),
        ('viewBox="0 0 30 20"', (30, 20)),
        ('width="100%" height="100%" viewBox="0,0,30.5,20"', (30.5, 20)),
    ],
)
def test_a_picture_s_size_is_known_in_pixels(size: str, expected: tuple[float, float]) -> None:
    picture = checked(f'<svg xmlns="http://www.w3.org/2000/svg" {size}/>')
    assert (picture.width, picture.height) == pytest.approx(expected)


def test_declaration_and_document_type_of_matplotlib_are_read_over() -> None:
    head = '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"\n "http://x.dtd">\n'
    assert checked(f"{head}{OPEN}<path d='M0 0'/></svg>").source.startswith("<svg")


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        "<g><script/></g>",
        "<foreignObject><p/></foreignObject>",
        '<rect onclick="alert(1)"/>',
        '<image href="https://example.org/x.png"/>',
        '<image xlink:href="file:///etc/passwd"/>',
        '<a href="javascript:alert(1)"><rect/></a>',
        '<set attributeName="href" to="javascript:alert(1)"/>',
    ],
)
def test_what_runs_or_fetches_is_taken_out(inner: str) -> None:
    source = checked(f"{OPEN}{inner}<path d='M0 0'/></svg>").source
    assert "path" in source
    assert not any(
        word in source for word in ("script", "foreignObject", "onclick", "https://example", "file:", "alert")
    )


def test_references_inside_the_picture_stay() -> None:
    source = checked(f'{OPEN}<defs><path id="m" d="M0 0"/></defs><use xlink:href="#m"/></svg>').source
    assert 'xlink:href="#m"' in source


@pytest.mark.parametrize(
    "svg",
    [
        "",
        "text",
        "<svg>",
        "<html/>",
        "<svg/>",
        '<svg xmlns="http://www.w3.org/2000/svg"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="5"/>',
        '<!DOCTYPE x [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">&a;</svg>',
    ],
)
def test_what_is_no_picture_is_refused(svg: str) -> None:
    with pytest.raises(ReportError, match="The figure 'Caption': its picture is not SVG"):
        checked(svg)


def test_a_picture_without_words_for_those_who_cannot_see_it_is_refused() -> None:
    with pytest.raises(ReportError, match="no text for those who cannot see it"):
        checked(f"{OPEN}</svg>", alt=" ")
