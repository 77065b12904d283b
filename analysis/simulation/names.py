"""Family and first names for simulated pupils, by country; nobody in particular.

Serbian names are kept in Cyrillic and transliterated, the unambiguous direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def _split_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_CYRILLIC = "абвгдђежзијклљмнњопрстћуфхцчџш"
_LATIN = _split_words("a b v g d đ e ž z i j k l lj m n nj o p r s t ć u f h c č dž š")
_TO_LATIN = {ord(c): latin for c, latin in zip(_CYRILLIC, _LATIN, strict=True)} | {
    ord(c.upper()): latin.capitalize() for c, latin in zip(_CYRILLIC, _LATIN, strict=True)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    family: tuple[str, ...]
    girls: tuple[str, ...]
    boys: tuple[str, ...]
    family_first: bool = False


_HUNGARIAN = _Names(
    family=_split_words(
        "Nagy Kovács Tóth Szabó Horváth Varga Kiss Molnár Németh Farkas Balogh Papp Takács Juhász Lakatos Mészáros "
        "Oláh Simon Rácz Fekete Szűcs Gulyás Erdős Őri Csűrös"
    ),
    girls=_split_words(
        "Anna Hanna Luca Zsófia Boglárka Réka Eszter Dóra Nikolett Fanni Csenge Vivien Kitti Petra Tünde"
    ),
    boys=_split_words(
        "Bence Máté Levente Ádám Dániel Kristóf Gergő Zoltán Márk Botond Áron Tamás Győző Norbert Krisztián"
    ),
    family_first=True,
)
_SERBIAN = _Names(
    family=_split_words(
        "Јовановић Петровић Николић Марковић Ђорђевић Стојановић Илић Станковић Павловић Милошевић Лукић Живковић "
        "Томић Којић Љубичић Његован Шћекић Тодоровић Вуковић Ћирић Чолић"
    ),
    girls=_split_words(
        "Милица Јована Анђела Теодора Сара Нађа Тијана Љиљана Катарина Невена Душица Жељана Исидора Уна"
    ),
    boys=_split_words("Лука Стефан Никола Марко Вук Ђорђе Лазар Огњен Немања Душан Михаило Урош Жарко Вељко Страхиња"),
)
_SLOVENIAN = _Names(
    family=_split_words(
        "Novak Horvat Kovačič Krajnc Zupančič Potočnik Mlakar Kos Vidmar Golob Turk Božič Kralj Korošec Zupan "
        "Bizjak Hribar Kotnik Kavčič Žagar Košir Rožman Šuštar"
    ),
    girls=_split_words("Špela Nika Eva Zala Lara Ana Neža Maja Tjaša Živa Kaja Manca Urška Pia Hana"),
    boys=_split_words("Luka Jan Žan Nejc Matic Jakob Filip Anže Tilen Gašper Rok Žiga Blaž Jaka Matevž"),
)
_ENGLISH = _Names(
    family=_split_words("Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Robinson Wright Thompson"),
    girls=_split_words("Olivia Amelia Isla Emily Grace Sophie Freya Chloe Alice Ruby"),
    boys=_split_words("Oliver George Harry Noah Jack Leo Oscar Charlie Jacob Thomas"),
)
_NAMES = {"HU": _HUNGARIAN, "RS": _SERBIAN, "SI": _SLOVENIAN}


def convert_cyrillic_to_latin(text: str) -> str:
    """Serbian Cyrillic letters as Latin ones; every other character stays.

    Examples
    --------
    >>> convert_cyrillic_to_latin("Љиљана Ђорђевић")
    'Ljiljana Đorđević'
    """
    return text.translate(_TO_LATIN)


def draw_names(
    country: str, girls: NDArray[np.bool_], *, cyrillic: NDArray[np.bool_], rng: np.random.Generator
) -> list[str]:
    """Draw a name for each pupil, in the order that the country writes it.

    Parameters
    ----------
    country
        Code of the country.
    girls
        Whether the pupil gets a girl's name; shape (n_pupils,).
    cyrillic
        Whether a Serbian name is written in Cyrillic; shape (n_pupils,); of no effect elsewhere.
    rng
        Source of the draws.
    """
    names = _NAMES.get(country, _ENGLISH)
    families = rng.integers(len(names.family), size=girls.size)
    # One draw serves both lists, so that a pupil's gender moves nobody else's name.
    firsts = rng.random(girls.size)
    result = []
    for family, first, is_girl, is_cyrillic in zip(families, firsts, girls, cyrillic, strict=True):
        pool = names.girls if is_girl else names.boys
        given_name, surname = pool[int(first * len(pool))], names.family[family]
        name = f"{surname} {given_name}" if names.family_first else f"{given_name} {surname}"
        result.append(name if is_cyrillic else convert_cyrillic_to_latin(name))
    return result
