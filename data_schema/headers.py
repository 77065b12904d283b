"""Which field a header names: as it is written, or without its unit, its number or its translation."""

from __future__ import annotations

import re
from collections.abc import Mapping

from data_schema.fields import normalise_header
from data_schema.tables import Table
from data_schema.words import is_of_units

_IN_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")


_NUMBERED = re.compile(r"^\s*\d{1,3}\s*[.)]\s*")


_FOOTNOTE = re.compile(r"\s*\d{1,2}\s*\)\s*$")


_DIVIDED = re.compile(r"\s*[\n/|]\s*|\s+[-–]\s+")


LONGEST_HEADER = 200


def index_fields_by_header(table: Table) -> dict[str, str]:
    """Return the field that each header means, headers as `normalise_header` makes them."""
    return {header: item.name for item in table.fields for header in item.header_keys}


def find_meant_field(header: str, owner: Mapping[str, str]) -> str | None:
    """Return the field that a header names: as it stands, or without its unit, its number or its translation."""
    name = owner.get(normalise_header(header))
    if name is not None or len(header) > LONGEST_HEADER:
        return name
    bare = _NUMBERED.sub("", header)
    beside = " ".join(_IN_BRACKETS.findall(bare))
    if beside and is_of_units(beside):
        # "absences (hours / month)" is no month.
        return owner.get(normalise_header(_IN_BRACKETS.sub(" ", bare)))
    texts = [
        bare,
        _FOOTNOTE.sub("", bare),
        _IN_BRACKETS.sub(" ", bare),
        *_IN_BRACKETS.findall(bare),
        *_DIVIDED.split(bare),
    ]
    field_names = {owner[key] for text in texts if (key := normalise_header(text)) in owner}
    return field_names.pop() if len(field_names) == 1 else None
