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
_MORE_DECIMALS = 3
"""How many decimals an estimate may get beyond those asked for, so that it does not read as a value that it is not."""

_SAME = 1e-12
"""Distance from which on two numbers differ by more than the arithmetic of a computer."""

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
    >>> english.estimate(-0.03, digits=1), english.estimate(1.004, digits=2, null=1.0)
    ('−0.03', '1.004')
    """

    catalogue: Catalogue

    def count(self, value: float) -> str:
        """Return a whole number with its thousands set off; a dash where there is none."""
        if not math.isfinite(value):
            return DASH
        return self._format_with_pattern(round(value), "#,##0")

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
        written = self._format_with_pattern(abs(rounded), "#,##0" + ("." + "0" * digits if digits else ""))
        if sign == "none" or rounded == 0:
            return written
        return (MINUS if rounded < 0 else "+" * (sign == "both")) + written

    def estimate(self, value: float, *, digits: int = 1, sign: Sign = "minus", null: float = 0.0) -> str:
        """Return an estimate, which never reads as "no effect" by rounding alone.

        Parameters
        ----------
        value, digits, sign
            As in `decimal`.
        null
            The value that means no effect: 0 for a difference, 1 for a ratio. An estimate that would be rounded to it
            has up to three decimals more; one that is nearer still is given by its limit, as "<0.0001" is.

        Examples
        --------
        >>> from data_schema.language import Language
        >>> english = Numbers(Catalogue("reports", Language("en")))
        >>> [english.estimate(value, digits=1) for value in (0.0, -0.04, 0.000_01)]
        ['0.0', '−0.04', '<0.0001']
        """
        return self._format_apart_from_borders(value, (null,), digits=digits, sign=sign)

    def percent(self, share: float, *, digits: int = 1) -> str:
        """Return a share (0 to 1) in percent, as the language writes it.

        What is neither none nor all is not written as 0% or 100%, but as "<0.1%" or ">99.9%": a limit and no further
        decimal, for that could tell a small count.
        """
        if not math.isfinite(share):
            return DASH
        spaced = self._format_with_pattern(1.0, None).endswith("\u00a0%")
        percent = 100 * share
        border = next((end for end in (0.0, 100.0, -100.0) if _is_written_as_border(percent, end, digits)), None)
        written = (
            self.decimal(percent, digits=digits)
            if border is None
            else self._format_beyond_border(percent, border, digits)
        )
        return written + ("\u00a0%" if spaced else "%")

    def interval(self, low: float, high: float, *, digits: int = 1, scale: float = 1.0, null: float = 0.0) -> str:
        """Return an interval in brackets, its ends multiplied by ``scale``; a dash where an end is missing.

        An end is written as `estimate` does it, so that an interval that excludes ``null`` does not seem to reach it.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            return DASH
        ends = {"low": scale * low, "high": scale * high}
        written = {name: self.estimate(end, digits=digits, null=null) for name, end in ends.items()}
        return self.catalogue.text("({low} to {high})", **written)

    def p_value(self, p: float, *, alpha: float = 0.05) -> str:
        """Return a p-value with its letter: two decimals, three below 0.1, "p < 0.001" at the least."""
        if not math.isfinite(p):
            return DASH
        if p < SMALLEST_P:
            return self.catalogue.text("p\u00a0<\u00a0{limit}", limit=self.decimal(SMALLEST_P, digits=3))
        return self.catalogue.text("p\u00a0=\u00a0{p}", p=self.p_figure(p, alpha=alpha))

    def p_figure(self, p: float, *, alpha: float = 0.05) -> str:
        """Return a p-value for a column headed p.

        Parameters
        ----------
        p
            0 to 1.
        alpha
            One minus the level of the interval beside it: a p-value that rounds to it, or to 1, has more decimals, so
            that it stands on the same side as the interval.
        """
        if math.isfinite(p) and p < SMALLEST_P:
            return self.catalogue.text("<{limit}", limit=self.decimal(SMALLEST_P, digits=3))
        return self._format_apart_from_borders(p, (round(alpha, 9), 1.0), digits=3 if p < 0.0995 else 2)

    def level(self, conf_level: float) -> str:
        """Return a confidence level in percent, with as many decimals as it needs and no more."""
        percent = 100 * conf_level
        return self.percent(conf_level, digits=0 if math.isclose(percent, round(percent), abs_tol=1e-9) else 1)

    def date(self, day: date) -> str:
        """Return a day as the language writes it, its month as a word where that is usual."""
        from babel.dates import format_date

        return str(format_date(day, format="medium", locale=self.catalogue.language.locale))

    def _format_apart_from_borders(
        self, value: float, borders: tuple[float, ...], *, digits: int, sign: Sign = "minus"
    ) -> str:
        """Return a number with as many decimals as tell it from the values that it is not."""
        if not math.isfinite(value):
            return DASH
        for more in range(digits, digits + _MORE_DECIMALS + 1):
            if not any(_is_written_as_border(value, border, more) for border in borders):
                return self.decimal(value, digits=more, sign=sign)
        last = digits + _MORE_DECIMALS
        nearest = min(borders, key=lambda border: abs(value - border))
        return self._format_beyond_border(abs(value) if sign == "none" else value, nearest, last)

    def _format_beyond_border(self, value: float, border: float, digits: int) -> str:
        """Return that a number is less than the next above a border, or more than the next below."""
        step = 10.0**-digits
        above = value > border
        return ("<" if above else ">") + self.decimal(border + (step if above else -step), digits=digits)

    def _format_with_pattern(self, value: float, pattern: str | None) -> str:
        from babel.numbers import format_decimal, format_percent

        locale = self.catalogue.language.locale
        if pattern is None:
            return str(format_percent(value, locale=locale))
        return str(format_decimal(value, format=pattern, locale=locale))


def is_zero(value: float) -> bool:
    """Whether a number is zero, but for the arithmetic of a computer; one that only rounds to zero is not."""
    return abs(value) <= _SAME


def _is_written_as_border(value: float, border: float, digits: int) -> bool:
    """Whether a number is written as another that it is not."""
    return not is_zero(value - border) and round(value, digits) == round(border, digits)
