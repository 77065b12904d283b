"""The gate reads codebooks and pages of returns beside the reports: both may tell what neither does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from data_schema.errors import DisclosureError
from reports.counted import Pupils
from reports.release.answers import ANSWERED, MISSING, ROWS, build_answer_set
from reports.release.gate import DataPage, Release, check_release
from reports.release.system import Link

ESTIMATES = "estimate_id,plan_entry,quantity,outcome,estimate,n_pupils,n_pupils_rounded\n"
MARK = ("status", "after", "average_mark")
ENROLLED, ANALYSED = Pupils.at("enrolled", country="SI"), Pupils.at("analysed", country="SI")
NO_RECORD, NO_ANSWER = (Pupils.at("lost", why, country="SI") for why in ("no record", "no answer"))
LINKS = (
    Link(terms=((build_answer_set((*MARK[:2], ""), ROWS, "SI"), 1), (ENROLLED, -1))),
    Link(terms=((build_answer_set(MARK, ANSWERED, "SI"), 1), (ANALYSED, -1))),
)


def page(numbers: Mapping[Pupils, str]) -> str:
    cells = (f'<td><span data-pupils="{pupils.key}">{text}</span></td>' for pupils, text in numbers.items())
    return f"<html><body><table><tr>{''.join(cells)}</tr></table></body></html>"


def release(*, enrolled: int, answered: str) -> Release:
    """Return reports that keep back all but the enrolled, and a codebook that says about how many have a mark."""
    report = page({ENROLLED: str(enrolled), ANALYSED: "c", NO_RECORD: "c", NO_ANSWER: "c"})
    book = page({build_answer_set(MARK, ANSWERED, "SI"): answered, build_answer_set(MARK, MISSING, "SI"): "c"})
    return Release(
        pages={"report": report},
        languages={"report": "en"},
        estimates=ESTIMATES,
        kinds={},
        threshold=10,
        links=LINKS,
        data_pages={"output/codebook/codebook.en.html": DataPage(html=book, language="en", step=10)},
        answers={MARK[::2]: ()},
    )


def test_a_codebook_and_a_report_that_tell_nothing_alone_are_refused_together() -> None:
    """Of 57 enrolled ≈60 have a mark, that is 55 or more; nobody is lost for two reasons each but one and one."""
    both = release(enrolled=57, answered="≈60")
    check_release(replace(both, data_pages={}))
    check_release(replace(both, pages={"report": page({ENROLLED: "57"})}, links=LINKS[:1]))
    with pytest.raises(DisclosureError, match="lost: no record"):
        check_release(both)


def test_where_more_is_possible_both_are_published() -> None:
    solved = check_release(release(enrolled=60, answered="≈60"))
    assert solved.n_numbers >= 6


def test_a_number_of_pupils_in_the_words_of_a_codebook_is_refused_in_its_language() -> None:
    told = release(enrolled=60, answered="≈60")
    book = told.data_pages["output/codebook/codebook.en.html"]
    hungarian = replace(book, html=book.html.replace("</body>", "<p>Összesen 13 tanuló.</p></body>"), language="hu")
    with pytest.raises(DisclosureError, match="13 tanuló"):
        check_release(replace(told, data_pages={"output/codebook/codebook.hu.html": hungarian}))
