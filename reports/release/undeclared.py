"""Numbers of pupils in published text that do not say which pupils they count, and so are in no system.

A number before the language's word for pupils is one. It passes where the same number is declared in the release, which
then says nothing new; where it is linked to an estimate (a number needed to treat); and where it is no count of this
trial: per 100 pupils, and the threshold itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator

from reports.release.reading import Page
from reports.words import Words

_NUMBER = r"(?P<number>\d[\d.,\u00a0\u202f]*)"
_TEXT = re.compile(r"<text\b[^>]*>(.*?)</text>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_PER = 100
_FORMS = (0, 1, 2, 3, 5, 101)
"""Numbers that show every plural form of the languages that reports are written in."""


def find_undeclared_counts(page: Page, words: Words, *, declared: Collection[int], threshold: int) -> list[str]:
    """Return the numbers of pupils in a document's text that are declared nowhere.

    Parameters
    ----------
    page
        The document.
    words
        Of its language.
    declared
        The numbers that say whom they count, of all documents.
    threshold
        Smallest number of pupils that may be printed.
    """
    pattern = _compile_count_pattern(words)
    known = {*declared, _PER, threshold}
    texts = [*page.texts, *(text for source in page.pictures for text in iterate_picture_texts(source))]
    return [
        match.group(0).strip()
        for text in texts
        for match in pattern.finditer(text)
        if int(re.sub(r"\D", "", match["number"])) not in known
    ]


def iterate_picture_texts(source: str) -> Iterator[str]:
    """Yield the texts of a picture that is inside a page; none of one that is no SVG."""
    kind, _, data = source.partition(";base64,")
    if kind == "data:image/svg+xml":
        svg = base64.b64decode(data).decode("utf-8")
        yield from (_TAG.sub("", text) for text in _TEXT.findall(svg))


def _compile_count_pattern(words: Words) -> re.Pattern[str]:
    after = dict.fromkeys(words.pupils(n).partition(words.numbers.count(n))[2].strip() for n in _FORMS)
    nouns = "|".join(re.escape(noun) for noun in sorted(after, key=len, reverse=True))
    return re.compile(rf"{_NUMBER}\s+(?:{nouns})\b")
