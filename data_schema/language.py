"""Languages, message look-up and the Latin spelling of Serbian.

A message's id is its English text with named slots, such as ``"{n} schools sent nothing."``. Translations are in
``locales/CODE.po`` of the package whose messages they are and are read as they are: there is no compiled file that
could go stale. English needs no file. What is not translated appears in English.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from string import Formatter

from data_schema.errors import ProtocolError

LANGUAGES: dict[str, str] = {
    "en": "English",
    "hu": "magyar",
    "sr": "српски",
    "sr-Latn": "srpski",
    "sl": "slovenščina",
}
"""Code to the language's own name, of every language that documents can be in."""

PSEUDO = "qps"
"""The pseudo-language: English with every literal passage between ⟦ and ⟧. It shows what never saw a catalogue."""

_LOCALES = {"en": "en_GB", "hu": "hu", "sr": "sr_Cyrl", "sr-Latn": "sr_Latn", "sl": "sl", PSEUDO: "en_GB"}
_FILES = {"hu": "hu", "sr": "sr", "sr-Latn": "sr", "sl": "sl"}

_TO_LATIN = dict(zip("абвгдђежзијклмнопрстћуфхцчш", "abvgdđežzijklmnoprstćufhcčš", strict=True))
_TO_LATIN |= {"љ": "lj", "њ": "nj", "џ": "dž"}
SMALL_TO_LATIN = str.maketrans(_TO_LATIN)
"""Small Cyrillic letters to Latin ones, for `str.translate`."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language that documents can be in.

    Parameters
    ----------
    code
        "en", "hu", "sr" (Cyrillic), "sr-Latn" or "sl"; "qps" for the pseudo-language of tests.

    Raises
    ------
    ProtocolError
        When the code is not one of these.

    Examples
    --------
    >>> Language("sl").name
    'slovenščina'
    """

    code: str

    def __post_init__(self) -> None:
        if self.code not in _LOCALES:
            raise ProtocolError(
                "language",
                f"{self.code!r} is not a language that reports can be in.",
                f"Choose one of {', '.join(LANGUAGES)}.",
            )

    @property
    def name(self) -> str:
        """What its speakers call it."""
        return LANGUAGES.get(self.code, "pseudo")

    @property
    def locale(self) -> str:
        """The locale whose number formats it follows, as Babel writes it."""
        return _LOCALES[self.code]

    @property
    def tag(self) -> str:
        """The tag for a document's ``lang`` attribute."""
        return {"sr": "sr-Cyrl", PSEUDO: "en"}.get(self.code, self.code)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The messages of one package in one language.

    Parameters
    ----------
    package
        Name of an importable package with a folder ``locales``.
    language
        The language to answer in.

    Examples
    --------
    >>> Catalogue("reports", Language("en")).plural("{n} school", "{n} schools", 2)
    '2 schools'
    """

    package: str
    language: Language

    def template(self, msgid: str) -> str:
        """Return the message with its slots still empty."""
        return self._convert_template(_load_translations(self.package, self.language.code).gettext(msgid))

    def plural_template(self, singular: str, plural: str, count: int) -> str:
        """Return the form of the message that goes with a number, with its slots still empty."""
        plural_text = _load_translations(self.package, self.language.code).ngettext(singular, plural, abs(count))
        return self._convert_template(plural_text)

    def text(self, msgid: str, **values: object) -> str:
        """Return the message with its slots filled.

        Parameters
        ----------
        msgid
            The English message.
        **values
            What goes into the slots, as finished text.
        """
        return self.template(msgid).format(**values)

    def plural(self, singular: str, plural: str, count: int, /, **values: object) -> str:
        """Return the form of the message that goes with a number, with its slots filled.

        ``{n}`` holds the number as plain digits unless ``n`` is given.
        """
        return self.plural_template(singular, plural, count).format(**({"n": count} | values))

    def knows(self, msgid: str) -> bool:
        """Whether there is a translation of a message; every message is English."""
        return self.language.code in ("en", PSEUDO) or msgid in _load_msgids(self.package, self.language.code)

    def _convert_template(self, template: str) -> str:
        if self.language.code == "sr-Latn":
            return to_latin(template)
        return _embed_in_brackets(template) if self.language.code == PSEUDO else template


def message(msgid: str) -> str:
    """Mark a text that is looked up later as a message, and return it as it is."""
    return msgid


def get_available_languages(package: str) -> tuple[str, ...]:
    """Return the codes of the languages that a package's messages are in, English first."""
    folder = resources.files(package) / "locales"
    return tuple(code for code in LANGUAGES if code not in _FILES or (folder / f"{_FILES[code]}.po").is_file())


def to_latin(text: str) -> str:
    """Return Serbian Cyrillic text in Latin letters; everything else stays.

    A digraph of a capital letter has its second letter small unless its neighbour is a capital.

    Examples
    --------
    >>> to_latin("Његова школа, ЊУ и Љубљана")
    'Njegova škola, NJU i Ljubljana'
    """
    letters = []
    for place, letter in enumerate(text):
        latin = _TO_LATIN.get(letter.lower())
        if latin is None:
            letters.append(letter)
        elif letter.islower():
            letters.append(latin)
        else:
            letters.append(latin.upper() if _is_among_capitals(text, place) else latin.capitalize())
    return "".join(letters)


def _is_among_capitals(text: str, place: int) -> bool:
    after = text[place + 1 : place + 2]
    before = text[place - 1 : place] if place else ""
    return after.isupper() or (not after.isalpha() and before.isupper())


@lru_cache(maxsize=32)
def _load_translations(package: str, code: str) -> NullTranslations:
    if code not in _FILES:
        return NullTranslations()
    path = resources.files(package) / "locales" / f"{_FILES[code]}.po"
    if not path.is_file():
        raise ProtocolError(
            "language",
            f"There are no texts of {package} in {LANGUAGES[code]} ({code}) yet.",
            f"Choose one of {', '.join(get_available_languages(package))}.",
        )
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(path.read_bytes()), locale=_LOCALES[code]))
    compiled.seek(0)
    return GNUTranslations(compiled)


@lru_cache(maxsize=32)
def _load_msgids(package: str, code: str) -> frozenset[str]:
    from babel.messages.pofile import read_po

    path = resources.files(package) / "locales" / f"{_FILES[code]}.po"
    po_entries = read_po(io.BytesIO(path.read_bytes()), locale=_LOCALES[code])
    return frozenset(str(entry.id) for entry in po_entries if entry.id and entry.string)


def _embed_in_brackets(template: str) -> str:
    parts = []
    for literal, slot, spec, conversion in Formatter().parse(template):
        escaped = literal.replace("{", "{{").replace("}", "}}")
        parts.append(f"⟦{escaped}⟧" if escaped else "")
        if slot is not None:
            parts.append("{" + slot + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}")
    return "".join(parts)
