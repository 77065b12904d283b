"""Model formulas in the words of lme4: fixed terms as formulaic reads them, random terms in brackets with a bar."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from analysis.guards import require_frame
from data_schema.errors import EstimationError

_NAME = re.compile(r"[^\W\d][\w.]*")
_QUOTED = re.compile(r"`([^`]+)`")
# What R writes otherwise, and names with dots; what is quoted stays as it is.
_R_WORDS = re.compile(
    r"`[^`]*`|\^|\bas\.factor(?=\()|(?<![\w.])factor(?=\()|\bTRUE\b|\bFALSE\b|(?<![\w.])[^\W\d]\w*(?:\.\w+)+(?![\w(.])"
)
_FROM_R = {"^": "**", "factor": "C", "as.factor": "C", "TRUE": "True", "FALSE": "False"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomTerm:
    """One random term: columns whose effects vary by group with one covariance matrix.

    Parameters
    ----------
    columns
        Left of the bar, with an explicit ``1`` or ``0``: ``"1"``, ``"1 + x"``, ``"0 + x"``.
    grouping
        Names of the columns whose combinations are the groups: ``("country", "school")`` for ``country:school``.
    """

    columns: str
    grouping: tuple[str, ...]

    def __str__(self) -> str:
        return f"({self.columns} | {':'.join(map(escape_column_name, self.grouping))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedFormula:
    """A parsed formula.

    Parameters
    ----------
    outcome
        Left of the tilde, a quoted name without its backquotes.
    fixed
        The fixed terms, ``"1"`` when there are none.
    random
        The random terms, nested groupings and double bars written out.
    """

    outcome: str
    fixed: str
    random: tuple[RandomTerm, ...]

    def __str__(self) -> str:
        return f"{self.outcome} ~ {' + '.join([self.fixed, *map(str, self.random)])}"


def escape_column_name(name: str) -> str:
    """Return a column's name as formulas write it: between backquotes where it is not a word."""
    return name if name.isidentifier() else f"`{name}`"


def require_formula(formula: object, data: object) -> None:
    """Refuse a formula that is no text, or data that are no data frame of pandas.

    Raises
    ------
    EstimationError
        With what to hand over.
    """
    if not isinstance(formula, str):
        raise EstimationError("formula", f"is a {type(formula).__name__}.", "Write it as text: 'score ~ arm'.")
    require_frame(data, place=f"model '{formula}'")


def from_r(text: str, columns: Collection[str]) -> str:
    """Return a formula that may be written as in R in formulaic's words.

    Names of columns with dots come between backquotes, ``^`` is a power, ``factor(x)`` is ``C(x)``, ``TRUE`` is
    ``True``. In Python ``2 ^ 3`` is 1: left as it is, ``I(x^2)`` would be something else without a word.

    Parameters
    ----------
    text
        The formula.
    columns
        Those of the data.

    Examples
    --------
    >>> from_r("log(score) ~ IQ.verb + I(age^2) + factor(year) + (1 | school)", ["score", "IQ.verb", "age", "year"])
    'log(score) ~ `IQ.verb` + I(age**2) + C(year) + (1 | school)'
    """
    dotted = {name for name in map(str, columns) if "." in name}

    def translate_r_word(found: re.Match[str]) -> str:
        word = found[0]
        if word.startswith("`"):
            return word
        return f"`{word}`" if word in dotted else _FROM_R.get(word, word)

    return _R_WORDS.sub(translate_r_word, text)


def parse_formula(text: str) -> MixedFormula:
    """Take a formula in lme4's words apart.

    Parameters
    ----------
    text
        ``outcome ~ fixed + (columns | grouping)``: ``(1 | school)`` a random intercept, ``(1 + x | school)`` intercept
        and slope with their correlation, ``(1 + x || school)`` without, ``(1 | country/school)`` nested: the same as
        ``(1 | country) + (1 | country:school)``.

    Raises
    ------
    EstimationError
        When there is no tilde, a bracket is not closed, a random term has no grouping, or nothing is random.

    Examples
    --------
    >>> str(parse_formula("score ~ arm + (1 + arm || school)"))
    'score ~ arm + (1 | school) + (0 + arm | school)'
    """
    left, fixed, random = _split_formula_parts(text)
    if not random:
        raise _create_formula_error(
            text, "has no random term.", "Add one, such as '+ (1 | school)', or use `linear_model`."
        )
    return MixedFormula(outcome=left, fixed=fixed, random=tuple(random))


def parse_plain(text: str) -> MixedFormula:
    """Take a formula without random terms apart.

    Parameters
    ----------
    text
        ``outcome ~ fixed``.

    Raises
    ------
    EstimationError
        When there is no tilde, a bracket is not closed, or something is random.
    """
    left, fixed, random = _split_formula_parts(text)
    if random or "|" in fixed:
        raise _create_formula_error(
            text, "has a random term.", "Leave it out and name the cluster, or use `mixed_model`."
        )
    return MixedFormula(outcome=left, fixed=fixed, random=())


def has_random_terms(text: str) -> bool:
    """Whether a formula is that of a multilevel model: `parse_formula` reads it, and otherwise `parse_plain` does.

    Raises
    ------
    EstimationError
        When there is no tilde or a bracket is not closed.

    Examples
    --------
    >>> has_random_terms("score ~ arm + (1 | school)"), has_random_terms("score ~ arm")
    (True, False)
    """
    return bool(_split_formula_parts(text)[2])


def _split_formula_parts(text: str) -> tuple[str, str, list[RandomTerm]]:
    """Return outcome, fixed part and random terms."""
    left, tilde, right = text.partition("~")
    if not tilde or not left.strip() or not right.strip():
        raise _create_formula_error(
            text, "has no outcome and terms.", "Write it as 'outcome ~ terms', as in 'score ~ arm'."
        )
    fixed: list[str] = []
    random: list[RandomTerm] = []
    for sign, term in _split(right, text):
        bar = _split_at_bar(term)
        if term == ".":
            raise _create_formula_error(text, "takes all columns by '.'.", "Name the columns.")
        if bar is None:
            fixed.append(f"{sign} {term}")
        elif sign == "-":
            raise _create_formula_error(text, f"takes the random term {term} away.", "Leave it out instead.")
        else:
            random.extend(_parse_random_terms(*bar, text))
    joined = " ".join(fixed).removeprefix("+ ")
    alone = _QUOTED.fullmatch(left.strip())
    return alone[1] if alone else left.strip(), joined or "1", random


def _split(right: str, text: str) -> list[tuple[str, str]]:
    """Return the terms of the outermost level, each with its sign."""
    parts: list[tuple[str, str]] = []
    depth, start, sign = 0, 0, "+"
    # What stands between backquotes is a name, whatever it looks like.
    for place, letter in enumerate(_QUOTED.sub(lambda found: "x" * len(found[0]), right)):
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0:
            break
        if depth == 0 and letter == "~":
            raise _create_formula_error(text, "has two tildes.", "Write one, between the outcome and the terms.")
        if depth == 0 and letter in "+-":
            if right[start:place].strip():
                parts.append((sign, right[start:place].strip()))
            sign, start = letter, place + 1
    if depth != 0:
        raise _create_formula_error(text, "has a bracket without its partner.", "Close every bracket.")
    if not right[start:].strip():
        raise _create_formula_error(text, f"ends with '{sign}'.", "Write a term after it, or leave it out.")
    parts.append((sign, right[start:].strip()))
    return parts


def _split_at_bar(term: str) -> tuple[str, bool, str] | None:
    """Return what stands left and right of a random term's bar and whether it is single; None for a fixed term."""
    inside = term[1:-1]
    if not (term.startswith("(") and term.endswith(")")) or "|" not in inside:
        return None
    left, bar, right = inside.partition("||")
    if bar:
        return left.strip(), False, right.strip()
    left, _, right = inside.partition("|")
    return left.strip(), True, right.strip()


def _parse_random_terms(left: str, correlated: bool, right: str, text: str) -> list[RandomTerm]:
    groupings = _parse_groupings(right, text)
    columns = _parse_bar_columns(left or "1", text)
    if correlated or len(columns) == 1:
        blocks = [" + ".join(columns)]
    else:
        blocks = [block if block in ("0", "1") else f"0 + {block}" for block in columns if block != "0"]
    return [RandomTerm(columns=block, grouping=grouping) for grouping in groupings for block in blocks]


def _parse_bar_columns(left: str, text: str) -> list[str]:
    """Return the terms left of a bar, an explicit 1 or 0 first."""
    terms, intercept = [], "1"
    for sign, term in _split(left, text):
        if term in ("0", "1"):
            intercept = "1" if (term == "1") == (sign == "+") else "0"
        elif sign == "-":
            raise _create_formula_error(text, f"takes the random slope {term} away.", "Leave it out instead.")
        else:
            terms.append(term)
    if intercept == "0" and not terms:
        raise _create_formula_error(text, "has a random term without columns.", "Write '(1 | school)'.")
    return [intercept, *terms]


def _parse_groupings(right: str, text: str) -> list[tuple[str, ...]]:
    quoted_names = [match[1] for match in _QUOTED.finditer(right)]
    nested = [tuple(name.strip() for name in part.split(":")) for part in _QUOTED.sub("`", right).split("/")]
    nested = [tuple(quoted_names.pop(0) if name == "`" else name for name in names) for names in nested]
    for names in nested:
        for name in names:
            if _NAME.fullmatch(name) is None and f"`{name}`" not in right:
                raise _create_formula_error(
                    text,
                    f"groups by '{right}'.",
                    "Name columns, nested by '/' or joined by ':', as in '(1 | country/school)'.",
                )
    return [tuple(name for names in nested[: depth + 1] for name in names) for depth in range(len(nested))]


def _create_formula_error(text: str, problem: str, remedy: str) -> EstimationError:
    return EstimationError(f"formula '{text}'", problem, remedy)
