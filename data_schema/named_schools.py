"""The schools that a text names: by identifier, by the name that the frame has, or by a part of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from data_schema.checks import split_bare_identifier
from data_schema.fields import normalise_header
from data_schema.personal.ordinary import WORD, OrdinaryWords
from data_schema.words import normalise_plain_word

LONGEST = 200
"""Letters of a text that are looked at."""

_RUN = re.compile(r"[^\W_]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SHORTEST, _LONG = 3, 5
_KINDS = (
    "alapiskola ált centar center dom école elementary gimn gimnazija gimnázium grammar high isk iskola iskolája "
    "kollégium licej liceum lyceum osnovna osnovne oš primary school secondary srednja szakg szakgimnázium "
    "szakképző szki sš šc šola šole škola škole technikum tehnička učilište vocational zavod általános"
)
_OF_KIND = frozenset(normalise_plain_word(word) for word in _KINDS.split())
"""Words for kinds of schools, as they are written and shortened: a text with one speaks of a school."""

_N_SUGGESTED = 3
_ALIKE = 85.0


class NamedSchools:
    """Finds the schools that the path of a file names.

    Parameters
    ----------
    schools
        Identifiers of the schools.

    Examples
    --------
    >>> sorted(NamedSchools(["SI-04", "SI-05"]).of("baseline/SI/status_si-04.csv"))
    ['SI-04']
    """

    __slots__ = ("_by_run",)

    def __init__(self, schools: Collection[str]) -> None:
        self._by_run: dict[str, list[str]] = {}
        for school in schools:
            # What is short, or may be a year, is in names of files for other reasons.
            if len(school) >= _SHORTEST and not _YEAR.fullmatch(school):
                first = _RUN.search(school)
                if first is not None and first.start() == 0:
                    self._by_run.setdefault(first[0].casefold(), []).append(school)

    def of(self, file: str) -> frozenset[str]:
        """Return the schools whose identifier is in a path, as a word of its own."""
        text = file.casefold()
        named_schools = set()
        for run in _RUN.finditer(text):
            for school in self._by_run.get(run[0], ()):
                end = run.start() + len(school)
                if text.startswith(school.casefold(), run.start()) and not text[end : end + 1].isalnum():
                    named_schools.add(school)
        # "RS-1011" stands where "RS-101" does not, and "RS-101-2" names no school "RS-101".
        return frozenset(
            named_school
            for named_school in named_schools
            if not any(named_school != other and other.startswith(named_school) for other in named_schools)
        )


def find_strangers(present: Collection[str], named: Collection[str]) -> frozenset[str]:
    """Return the schools of a file's rows that its name speaks against.

    Parameters
    ----------
    present
        Schools of its rows.
    named
        Schools that its path names.

    Returns
    -------
    frozenset of str
        None where the path names no school, and none where the file has rows of many schools and its name holds no
        more than a short word that may mean something else.
    """
    if not named:
        return frozenset()
    others = frozenset(present) - frozenset(named)
    is_sure = (
        len(present) == 1
        or bool(set(present) & set(named))
        or all(len(named_school) >= _LONG for named_school in named)
    )
    return others if is_sure else frozenset()


class SchoolFinder:
    """Finds the schools of the frame that a text names, by identifier or by name.

    Parameters
    ----------
    schools
        `school_id` to country.
    names
        `school_id` to what the school is called, for those of which it is known.

    Examples
    --------
    >>> finder = SchoolFinder({"HU-1": "HU", "HU-2": "HU"}, {"HU-1": "Petőfi Iskola", "HU-2": "Petőfi Iskola Makó"})
    >>> [sorted(finder.of(text)) for text in ("HU-1.xlsx", "PETŐFI ISKOLA, Makó – 9. évfolyam", "Ady Iskola")]
    [['HU-1'], ['HU-2'], []]
    """

    def __init__(self, schools: Mapping[str, str], names: Mapping[str, str]) -> None:
        self._schools = schools
        self._named = NamedSchools(schools)
        self._exact = {school.casefold(): school for school in schools}
        self._by_first: dict[str, list[tuple[str, str]]] = {}
        self._words: dict[str, tuple[str, ...]] = {}
        for school, name in names.items():
            key = normalise_header(name)
            words = tuple(normalise_plain_word(word) for word in WORD.findall(name))
            if school in schools and words:
                self._words[school] = words
            if school in schools and key:
                self._by_first.setdefault(key.partition(" ")[0], []).append((f"{key} ", school))

    def country(self, school: str) -> str:
        """Return the country of a school."""
        return self._schools[school]

    def named_in_path(self, file: str) -> frozenset[str]:
        """Return the schools whose identifier is in the path of a file."""
        return self._named.of(file)

    def of(self, text: str) -> frozenset[str]:
        """Return the schools that a text names; those that it names by identifier and by name, where there are such."""
        text = text[:LONGEST]
        by_identifier = self._find_by_identifier(text)
        by_name = self._find_by_name(f"{normalise_header(text)} ")
        both = by_identifier & by_name
        return both or by_identifier | by_name

    def _find_by_name(self, text: str) -> frozenset[str]:
        """Return the schools whose whole name is in a text; a name that is part of a longer one there is none."""
        schools_by_span: dict[tuple[int, int], set[str]] = {}
        start = 0
        for word in text.split():
            for key, school in self._by_first.get(word, ()):
                if text.startswith(key, start):
                    schools_by_span.setdefault((start, start + len(key)), set()).add(school)
            start += len(word) + 1
        spans = [
            span
            for span in schools_by_span
            if not any(other != span and other[0] <= span[0] and span[1] <= other[1] for other in schools_by_span)
        ]
        return frozenset(school for span in spans for school in schools_by_span[span])

    def alike(self, texts: Iterable[str]) -> list[str]:
        """Return the schools whose identifier is in texts but for zeros and signs."""
        words = {split_bare_identifier(word) for text in texts for word in (text, *_RUN.findall(text))}
        return [school for school in self._schools if split_bare_identifier(school) in words]

    def contradicted(self, school: str, texts: Iterable[str]) -> list[str] | None:
        """Return the schools that texts name beside a school's identifier, where they name another than it.

        Parameters
        ----------
        school
            The school.
        texts
            The texts in which it was found.

        Returns
        -------
        list of str or None
            None where nothing speaks against it; no school where the name is none of the trial's.
        """
        school_words, texts = self._words.get(school, ()), list(texts)
        is_named = any(school in self._find_by_name(f"{normalise_header(text)} ") for text in texts)
        for text in texts if school_words and not is_named else ():
            words = _Words(
                self._remove_from_text(school, text[:LONGEST]), beside=school in self._find_by_identifier(text)
            )
            n_own = words.n_in(school_words)
            others = {other: words.n_in(known) for other, known in self._words.items() if other != school}
            most = max(others.values(), default=0)
            if most > n_own and (words.speaks_of_school or most > 1):
                return self._find_best_explained(words, [other for other, n in others.items() if n == most])
            if not n_own and words.are_of_name:
                return []
        return None

    def suggested(self, texts: Iterable[str]) -> list[str]:
        """Return the schools that may be meant by names that are shortened, misspelt or not whole; the best ones only.

        Examples
        --------
        >>> names = {"1": "Osnovna šola Prežihov Voranc", "2": "Osnovna šola Tabor"}
        >>> finder = SchoolFinder({"1": "SI", "2": "SI"}, names)
        >>> finder.suggested(["OŠ Prežihov 9.a"])
        ['1']
        """
        for words in map(_Words, dict.fromkeys(text[:LONGEST] for text in texts)):
            counts = {school: words.n_in(known) for school, known in self._words.items()}
            most = max(counts.values(), default=0)
            if most:
                return self._find_best_explained(words, [school for school, n in counts.items() if n == most])
        return []

    def _find_best_explained(self, words: _Words, schools: Sequence[str]) -> list[str]:
        """Return those of schools whose names explain most of the words; none where they are many."""
        explained = {school: words.n_explained_by(self._words[school]) for school in schools}
        best = [school for school in schools if explained[school] == max(explained.values())]
        return sorted(best) if len(best) <= _N_SUGGESTED else []

    def _find_by_identifier(self, text: str) -> frozenset[str]:
        exact = self._exact.get(text.strip().casefold())
        return frozenset([exact]) if exact else self._named.of(text)

    @staticmethod
    def _remove_from_text(school: str, text: str) -> str:
        return re.sub(re.escape(school), " ", text, flags=re.IGNORECASE)


class _Words:
    """The words of a text, as far as they can be of the name of a school.

    Parameters
    ----------
    text
        The text.
    beside
        Whether the identifier of a school is in it.
    """

    def __init__(self, text: str, *, beside: bool = False) -> None:
        written = WORD.findall(text.replace("_", " "))
        ordinary = OrdinaryWords()
        self._all = [normalise_plain_word(word) for word in written]
        telling = [word for word in written if len(word) >= _SHORTEST and word not in ordinary]
        self._telling = [word for word in map(normalise_plain_word, telling) if word not in _OF_KIND]
        has_kind = any(word in _OF_KIND for word in self._all)
        self.speaks_of_school = beside or has_kind
        """Whether one word of a name is enough to know that a school is meant."""
        n_capitals = sum(word[0].isupper() and normalise_plain_word(word) not in _OF_KIND for word in telling)
        self.are_of_name = bool(n_capitals) and (has_kind or (beside and n_capitals > 1))
        """Whether they are a name, though perhaps of no school of the trial."""

    def n_in(self, name: Sequence[str]) -> int:
        """Return how many of the telling words are in a name."""
        return sum(any(_is_like(word, known) for known in name) for word in self._telling)

    def n_explained_by(self, name: Sequence[str]) -> int:
        """Return how many of all words are in a name, whole or shortened, those for kinds of schools among them."""
        return sum(any(known.startswith(word) or _is_like(word, known) for known in name) for word in self._all)


def _is_like(word: str, known: str) -> bool:
    """Whether a word is another one, shortened, in another case of grammar, or misspelt by a letter."""
    from rapidfuzz import fuzz

    if word == known or known.startswith(word) or (len(known) > _SHORTEST and word.startswith(known)):
        return True
    return min(len(word), len(known)) >= _LONG and fuzz.ratio(word, known) >= _ALIKE
