"""What every output of a practice trial carries: that its data are simulated, in words and as a mark on the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from data_schema.language import Catalogue, Language

_TILE = (480, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeWords:
    """What every output of a practice trial says, in a language.

    Parameters
    ----------
    mark
        A few words, for each page and for the title of a window.
    notice
        Sentences, for the beginning of a text.
    """

    mark: str
    notice: str

    def titled(self, title: str) -> str:
        """Return the title of a window or file, with the mark before it."""
        return f"{self.mark} · {title}"

    def aside(self) -> str:
        """Return the bar above an HTML page."""
        return (
            f'<aside class="practice-notice" aria-label="{escape(self.mark)}">'
            f"<p><strong>{escape(self.mark)}.</strong> {escape(self.notice)}</p></aside>"
        )

    def on_picture(self, svg: str) -> str:
        """Return a picture (SVG) with the mark across it, for one that stands alone."""
        box = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', svg)
        width, height = (float(box[1]), float(box[2])) if box else _TILE
        middle = f"{width / 2:.0f} {height / 2:.0f}"
        mark = (
            f'<text x="{width / 2:.0f}" y="{height / 2:.0f}" text-anchor="middle" font-family="sans-serif" '
            f'font-size="{width / 22:.0f}" fill="#4a3000" fill-opacity="0.2" transform="rotate(-18 {middle})">'
            f"{escape(self.mark)}</text>\n"
        )
        end_position = svg.rindex("</svg>")
        return f"{svg[:end_position]}{mark}{svg[end_position:]}"

    def markdown(self) -> str:
        """Return the first cell of a notebook."""
        return f"> **{self.mark}.** {self.notice}"

    def comment(self) -> str:
        """Return the line above a text file in which lines with a number sign are remarks."""
        return f"# {self.mark}. {self.notice}\n\n"

    def style(self) -> str:
        """Return the rules that set the mark behind the text of an HTML page, and above each printed one."""
        width, height = _TILE
        picture = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
            f'<text x="{width / 2:.0f}" y="{height / 2:.0f}" text-anchor="middle" fill="#f1ebdd" font-size="26" '
            f'font-family="sans-serif" transform="rotate(-28 {width / 2:.0f} {height / 2:.0f})">{escape(self.mark)}'
            "</text></svg>"
        )
        quoted = self.mark.replace("\\", "").replace('"', "")
        return (
            f'body.practice {{ background-image: url("data:image/svg+xml,{quote(picture)}"); }}\n'
            f'@media print {{ @page {{ @top-center {{ content: "{escape(quoted)}"; font: 600 9pt sans-serif; '
            "color: #4a3000; } } }"
        )


def get_practice_words(language: str) -> PracticeWords:
    """Return what every output of a practice trial says: its data are simulated.

    Parameters
    ----------
    language
        Code of a language.

    Examples
    --------
    >>> get_practice_words("en").mark
    'Practice: simulated data'
    """
    catalogue = Catalogue("reports.writers", Language(language))
    return PracticeWords(
        mark=catalogue.text("Practice: simulated data"),
        notice=catalogue.text(
            "This is a practice trial. Its data are simulated: nothing here is a finding about schools or pupils."
        ),
    )
