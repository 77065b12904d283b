"""What is published, read back: each number of pupils with the set that it counts, as documents and files state it."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import StringIO

from analysis.results import KAPLAN_MEIER
from reports.counted import OF_ALL_ARMS, Pupils, split_keys, split_name_parts
from reports.release.system import Fact, MeanFact

_VOID = {"meta", "link", "img", "br", "col", "hr", "input"}
_DIGIT = re.compile(r"\d")
ROUNDED_MARK = "≈"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A number of pupils as it is printed: its set, its text, and the estimate in whose row it stands."""

    pupils: Pupils
    text: str
    estimate_id: str = ""

    @property
    def number(self) -> int | None:
        """The number; None where it is suppressed."""
        digits = "".join(_DIGIT.findall(self.text))
        return int(digits) if digits else None

    @property
    def is_rounded(self) -> bool:
        """Whether the number is marked as a rounded one."""
        return self.text.startswith(ROUNDED_MARK)


@dataclass(slots=True)
class Page:
    """An HTML document read back.

    Parameters
    ----------
    printed
        The numbers of pupils that say whom they count.
    texts
        Everything else that can be read: text, descriptions of pictures, and what is linked to an estimate left out.
    pictures
        The pictures' sources.
    """

    printed: list[Printed] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)


def read_page(html: str) -> Page:
    """Read a document as it was published."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    """Follows which elements are open, and whose text is being read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._open: list[tuple[str, str]] = []
        self._row = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "tr":
            self._row = ""
        if "data-estimate" in values and not self._row:
            self._row = values["data-estimate"]
        drawn = split_keys(values.get("data-pupils-drawn", ""))
        self.page.printed += [Printed(pupils=pupils, text=text) for pupils, text in drawn]
        if tag == "img":
            self.page.texts.append(values.get("alt", ""))
            self.page.pictures.append(values.get("src", ""))
        if tag not in _VOID:
            self._open.append((tag, values.get("data-pupils", "") or ("-" if "data-estimate" in values else "")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if any(tag in ("style", "script") for tag, _ in self._open):
            return
        of = next((kind for _, kind in reversed(self._open) if kind), "")
        if of and of != "-":
            self.page.printed.append(Printed(pupils=Pupils.of_key(of), text=data, estimate_id=self._row))
        elif not of:
            self.page.texts.append(data)


def build_fact(printed: Printed, *, threshold: int) -> Fact:
    """Return what a printed number tells: itself, what rounds to it, or that it is somebody where it is suppressed."""
    number = printed.number
    if number is None:
        # Rows of one table and wave are suppressed for no other reason than that they are few, but for those sent.
        column, *units = split_name_parts(printed.pupils.name) if printed.pupils.what == "files" else ("sent",)
        is_few = column != "sent" and len(units) == 1 and len(printed.pupils.countries) <= 1
        return Fact(pupils=printed.pupils, low=1, high=threshold - 1.0 if is_few else math.inf)
    if not printed.is_rounded:
        return Fact(pupils=printed.pupils, low=number, high=number)
    if printed.pupils.what in OF_ALL_ARMS:
        return build_rounded_fact(printed.pupils, number, threshold=threshold)
    # A sum of rounded numbers is as exact as they are; of those that are suppressed it holds nothing.
    parts = max(len(printed.pupils.arms), 1) * max(len(printed.pupils.countries), 1)
    more = threshold / 2 if parts == 1 else 1.5 * threshold * parts
    return Fact(pupils=printed.pupils, low=max(number - parts * threshold / 2, 0), high=number + more)


def build_rounded_fact(pupils: Pupils, number: int, *, threshold: int) -> Fact:
    """Return what a number tells that `reports.disclosure.round_pupil_count` rounded: half a step, and none is small.

    Examples
    --------
    >>> [(fact.low, fact.high) for n in (10, 60) for fact in [build_rounded_fact(Pupils.at("rows"), n, threshold=10)]]
    [(10.0, 14.0), (55.0, 64.0)]
    """
    half = threshold / 2
    return Fact(pupils=pupils, low=float(max(math.ceil(number - half), threshold)), high=math.ceil(number + half) - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the published table of estimates."""

    estimate_id: str
    plan_entry: str
    quantity: str
    outcome: str
    method: str
    estimate: str
    n_pupils: str
    is_rounded: bool

    @property
    def text(self) -> str:
        """The number of pupils as a table prints it."""
        return f"{ROUNDED_MARK if self.is_rounded and self.n_pupils else ''}{self.n_pupils}"


def read_estimates(text: str) -> list[Row]:
    """Read the published table of estimates."""
    return [
        Row(
            **{
                name: row[name]
                for name in ("estimate_id", "plan_entry", "quantity", "outcome", "method", "estimate", "n_pupils")
            },
            is_rounded=row["n_pupils_rounded"] == "yes",
        )
        for row in csv.DictReader(StringIO(text.removeprefix("\ufeff")))
    ]


def iterate_mean_facts(rows: list[Row], sets: Mapping[str, Pupils], kinds: Mapping[str, str]) -> Iterator[MeanFact]:
    """Yield what published means of whole numbers tell.

    Parameters
    ----------
    rows
        Of the table of estimates.
    sets
        Estimate id to the pupils behind it.
    kinds
        Outcome to what its values are: "binary", "whole" (numbers), or anything else, which tells nothing of how many
        there are.
    """
    for row in rows:
        kind = kinds.get(row.outcome, "")
        if row.quantity != "mean" or kind not in _WHOLE or not row.estimate or row.estimate_id not in sets:
            continue
        half = 0.5 * 10.0 ** -len(row.estimate.partition(".")[2])
        value, slack = float(row.estimate), half * (1 + 1e-9)
        low = max(value - slack, 0.0) if kind == "binary" else value - slack
        yield MeanFact(
            pupils=sets[row.estimate_id],
            # By Kaplan and Meier a share is at least that of the pupils who were seen to have the event.
            low=0.0 if row.method == KAPLAN_MEIER else low,
            high=value + slack,
            is_share=kind == "binary",
        )


_WHOLE = ("binary", "whole")
"""Values whose sum is a whole number."""
