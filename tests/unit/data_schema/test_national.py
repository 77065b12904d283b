"""National identifiers of persons are known by their check digits, in the countries that have them."""

from __future__ import annotations

import pytest

from data_schema import patterns
from data_schema.patterns import is_national

VALID = {
    "BA": "0101006500006",
    "BG": "7523169263",
    "CZ": "710319/2745",
    "HR": "33392005961",
    "HU": "8071592153",
    "IT": "RCCMNL83S18D969H",
    "PL": "44051401359",
    "RO": "1630615123457",
    "RS": "0101006500006",
    "SI": "15012557",
}
"""Numbers that python-stdnum's own documentation gives; for Hungary one computed by hand from the digits' weights."""


@pytest.mark.parametrize("country", sorted(VALID))
def test_a_valid_identifier_is_known_in_its_country_and_with_another_last_sign_it_is_not(country: str) -> None:
    text = VALID[country]
    other = text[:-1] + ("A" if text[-1] != "A" else "B") if text[-1].isalpha() else f"{text[:-1]}{9 - int(text[-1])}"
    assert is_national(text, [country])
    assert not is_national(other, [country])
    assert not is_national(text, ["XX"])


@pytest.mark.parametrize("country", sorted({*patterns._MODULES, "HU"}))
def test_every_country_s_check_is_there_and_takes_any_text(country: str) -> None:
    for text in ("", "x", "-", "1234567", "Ω" * 13, "٣" * 13, "A1B2C3D4E5F6G7H8"):
        assert is_national(text, [country]) is False
