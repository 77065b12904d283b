"""Text and bytes in the one form that is hashed, so that anyone gets the same hash from the same content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from data_schema.errors import DesignError

# Control characters, line separators and lone surrogates: what could fake a column or cannot be written as UTF-8.
_NOT_PLAIN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def is_plain(text: str) -> bool:
    r"""Return whether a text can be in a canonical table: not empty, no space around it, no control characters.

    Examples
    --------
    >>> is_plain("Szeged 05"), is_plain(" 05"), is_plain("0\t5"), is_plain("")
    (True, False, False, False)
    """
    return bool(text) and text == text.strip() and not _NOT_PLAIN.search(text)


def encode_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    r"""Write a table as UTF-8: fields end with a tab or, the last of a line, with a line feed.

    Examples
    --------
    >>> encode_table(("school_id", "arm"), [("05", "pilot")])
    b'school_id\tarm\n05\tpilot\n'
    """
    return "".join("\t".join(fields) + "\n" for fields in (header, *rows)).encode()


def compute_sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def format_canonical_json(values: object) -> str:
    r"""Write values as the JSON that is hashed: keys sorted, no spaces, other characters than ASCII as ``\uXXXX``.

    Raises
    ------
    TypeError
        If a number is not whole. Languages write fractions in different ways (300, 300.0, 3e2): state them as decimal
        text, see `format_decimal`.

    Examples
    --------
    >>> format_canonical_json({"strata": ["típus"], "arms": 2})
    '{"arms":2,"strata":["t\\u00edpus"]}'
    """
    _refuse_fractions(values)
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _refuse_fractions(values: object) -> None:
    if isinstance(values, float):
        raise TypeError(f"The fraction {values!r} has no one form in JSON: write it as decimal text.")
    if isinstance(values, Mapping):
        for value in values.values():
            _refuse_fractions(value)
    elif isinstance(values, list | tuple):
        for value in values:
            _refuse_fractions(value)


def format_decimal(number: float) -> str:
    """Write a number in plain decimals, which is its one form in what is hashed.

    No exponent, no zeros behind the last other digit of a fraction, no point without digits behind it, no minus zero.

    Examples
    --------
    >>> format_decimal(300.0), format_decimal(2.50), format_decimal(1e-7), format_decimal(-0.0)
    ('300', '2.5', '0.0000001', '0')
    """
    text = f"{Decimal(str(number)):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def read_decimal(text: object) -> float:
    """Return the number that `format_decimal` wrote.

    Raises
    ------
    ValueError
        If it is written in another way: what is hashed has one form.

    Examples
    --------
    >>> read_decimal("0.25")
    0.25
    """
    if not isinstance(text, str) or format_decimal(float(text)) != text:
        raise ValueError(f"{text!r} is not a number as decimal text")
    return float(text)


def format_quoted_list(names: Sequence[str], *, most: int = 5) -> str:
    """List names in quotes for a message, the first few of many.

    Examples
    --------
    >>> format_quoted_list(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def check_columns_named(place: str, columns: object) -> None:
    """Raise DesignError unless columns of the school frame are named, in a tuple, each once.

    Examples
    --------
    >>> check_columns_named("design, matching", ("size", "prior"))
    """
    if not isinstance(columns, tuple) or not columns:
        raise DesignError(place, "No variables are named.", "Name columns of the school frame, in a tuple.")
    for column in columns:
        if not isinstance(column, str) or not is_plain(column) or column == "school_id":
            raise DesignError(
                place, f"{column!r} cannot be a variable.", "Name columns of the school frame such as 'size'."
            )
        if columns.count(column) > 1:
            raise DesignError(place, f"'{column}' is stated twice.", "State each one once.")
