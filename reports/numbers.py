"""The only place where numbers become text.

Minus is U+2212, the decimal sign and the grouping of digits are the language's, shares become percent or points per
hundred here, and what is not a number becomes a dash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

from data_schema.language import Catalogue

MINUS = "\u2212"
DASH = "\u2013"
"""What stands where there is no number."""

SMALLEST_P = 0.001

_LARGEST = 1e12
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

Sign = Literal["minus", "both", "none"]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers as text in one language.

    Parameters
    ----------
    catalogue
        The messages of ``reports``, whose language decides the signs.

    Examples
    --------
    >>> from data_schema.language import Language
    >>> english = Numbers(Catalogue("reports", Language("en")))
    >>> english.count(12345), english.decimal(-0.256, digits=2), english.percent(0.104)
    ('12,345', '−0.26', '10.4%')
    >>> english.interval(-3.54, -0.66), english.p_figure(0.0004)
    ('(−3.5 to −0.7)', '<0.001')
    """

    catalogue: Catalogue

    def count(self, value: float) -> str:
        """Return a whole number with its thousands set off; a dash where there is none."""
        if not math.isfinite(value):
            return DASH
        return self._formatted(round(value), "#,##0")

    def decimal(self, value: float, *, digits: int = 1, sign: Sign = "minus") -> str:
        """Return a number with a fixed number of decimals.

        Parameters
        ----------
        value
            A dash is returned where it is not finite.
        digits
            Decimals, 0 or more.
        sign
            "minus" writes the minus only, "both" the plus too, "none" neither. Nothing that rounds to zero has one.
        """
        if not math.isfinite(value):
            return DASH
        if abs(value) >= _LARGEST:
            power = math.floor(math.log10(abs(value)))
            mantissa = self.decimal(value / 10.0**power, digits=1, sign=sign)
            return mantissa + "\u00a0×\u00a010" + str(power).translate(_RAISED)
        rounded = round(value, digits)
        written = self._formatted(abs(rounded), "#,##0" + ("." + "0" * digits if digits else ""))
        if sign == "none" or rounded == 0:
            return written
        return (MINUS if rounded < 0 else "+" * (sign == "both")) + written

    def percent(self, share: float, *, digits: int = 1) -> str:
        """Return a share (0 to 1) in percent, as the language writes it."""
        if not math.isfinite(share):
            return DASH
        spaced = self._formatted(1.0, None).endswith("\u00a0%")
        return self.decimal(100 * share, digits=digits) + ("\u00a0%" if spaced else "%")

    def interval(self, low: float, high: float, *, digits: int = 1, scale: float = 1.0) -> str:
        """Return an interval in brackets, its ends multiplied by ``scale``; a dash where an end is missing."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return DASH
        ends = {name: self.decimal(scale * end, digits=digits) for name, end in (("low", low), ("high", high))}
        return self.catalogue.text("({low} to {high})", **ends)

    def p_value(self, p: float) -> str:
        """Return a p-value with its letter: two decimals, three below 0.1, "p < 0.001" at the least."""
        if not math.isfinite(p):
            return DASH
        if p < SMALLEST_P:
            return self.catalogue.text("p\u00a0<\u00a0{limit}", limit=self.decimal(SMALLEST_P, digits=3))
        return self.catalogue.text("p\u00a0=\u00a0{p}", p=self.p_figure(p))

    def p_figure(self, p: float) -> str:
        """Return a p-value for a column headed p."""
        if math.isfinite(p) and p < SMALLEST_P:
            return self.catalogue.text("<{limit}", limit=self.decimal(SMALLEST_P, digits=3))
        return self.decimal(p, digits=3 if p < 0.0995 else 2)

    def level(self, conf_level: float) -> str:
        """Return a confidence level in percent, with as many decimals as it needs and no more."""
        percent = 100 * conf_level
        return self.percent(conf_level, digits=0 if math.isclose(percent, round(percent), abs_tol=1e-9) else 1)

    def date(self, day: date) -> str:
        """Return a day as the language writes it, its month as a word where that is usual."""
        from babel.dates import format_date

        return str(format_date(day, format="medium", locale=self.catalogue.language.locale))

    def _formatted(self, value: float, pattern: str | None) -> str:
        from babel.numbers import format_decimal, format_percent

        locale = self.catalogue.language.locale
        if pattern is None:
            return str(format_percent(value, locale=locale))
        return str(format_decimal(value, format=pattern, locale=locale))
