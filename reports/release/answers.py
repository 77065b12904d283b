"""Numbers of answers in the codebook: which sets they count, what holds among them, and which are kept back.

Of each question a codebook prints, for each country and for all, how many rows have which answer and how many have
none, rounded. A reader may know how many rows there are. What follows from a question's numbers is solved for before
they are printed, as if that number were known exactly: no other question of the codebook can then tell more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reports.counted import Pupils, join_name_parts, split_name_parts
from reports.disclosure import TOTAL, Count, is_small, round_pupil_count
from reports.release.reading import build_rounded_fact
from reports.release.search import ContradictionError
from reports.release.system import Fact, Link, infer_pupil_counts

MISSING, ANSWERED, ROWS = "\x00missing", "\x00answered", "\x00rows"
"""The rows without an answer, those with one, and all of a table and wave: no answer of a protocol is called so."""

Place = str
"""Code of a country; `TOTAL` for all together."""

Key = tuple[str, Place]
"""An answer, `ANSWERED` or `MISSING`, and a place."""

Question = tuple[str, str, str]
"""A table, a wave and a field."""


def build_answer_set(question: Question, kind: str, place: Place, *, product: str = "") -> Pupils:
    """Return the set of rows with an answer.

    Parameters
    ----------
    question
        Table, wave and field; of `ROWS` the field is empty.
    kind
        The answer, `ANSWERED`, `MISSING` or `ROWS`.
    place
        Code of the country; empty for all together.
    product
        Whose rows they are where these are not the stored ones: "export".
    """
    return Pupils(what="answers", name=join_name_parts(*question, kind, product), countries=(place,) if place else ())


def parse_question(pupils: Pupils) -> tuple[Question, str]:
    """Return the question that a set is of, and the product."""
    table, wave, field, _, product = split_name_parts(pupils.name)
    return (table, wave, field), product


def iterate_question_links(
    question: Question, answers: Iterable[str], places: Iterable[Place], *, product: str = ""
) -> Iterator[Link]:
    """Yield what holds among a question's numbers: answers add up, and each row has one or none."""
    listed = tuple(answers)
    for place in places:
        sets = {kind: build_answer_set(question, kind, place, product=product) for kind in (*listed, ANSWERED, MISSING)}
        rows = build_answer_set((*question[:2], ""), ROWS, place, product=product)
        if listed:
            yield Link(terms=((sets[ANSWERED], -1), *((sets[kind], 1) for kind in listed)))
        yield Link(terms=((sets[ANSWERED], 1), (sets[MISSING], 1), (rows, -1)))


def suppress_answer_counts(
    counts: Mapping[Key, int], protected: Mapping[Key, Count], answers: Iterable[str], *, threshold: int, least: int
) -> dict[Key, Count]:
    """Return a question's numbers as they are printed: rounded, and kept back where a small one would follow.

    Parameters
    ----------
    counts
        The true numbers of `ANSWERED`, `MISSING` and each answer, by place and for all together.
    protected
        The same after suppression.
    answers
        The answers that the question offers; none where it asks for a number.
    threshold
        The step of rounding.
    least
        Smallest number of rows that may be printed.

    Examples
    --------
    Of 56 pupils 55 answered: beside 56, that 55 to 64 did would tell of the one who did not.

    >>> counts = {(ANSWERED, ""): 55, (MISSING, ""): 1}
    >>> safe = {(ANSWERED, ""): Count(value=55), (MISSING, ""): Count(value=None)}
    >>> [count.value for count in suppress_answer_counts(counts, safe, [], threshold=10, least=10).values()]
    [None, None]
    """
    listed = tuple(answers)
    rounded = {
        key: Count(value=None, unit="rows")
        if protected[key].value is None and n  # nobody is shown, as each answer is
        else round_pupil_count(n, threshold=threshold, unit="rows")
        for key, n in counts.items()
    }
    if not any(is_small(n, threshold=least) for n in counts.values()):
        return rounded
    for kept_back in ((), (MISSING,), (MISSING, ANSWERED, *listed)):
        shown = {
            key: Count(value=None, unit="rows") if key[0] in kept_back and counts[key] else count
            for key, count in rounded.items()
        }
        if not _is_small_count_recovered(counts, shown, listed, threshold=threshold, least=least):
            break
    return shown


def _is_small_count_recovered(
    counts: Mapping[Key, int], shown: Mapping[Key, Count], answers: tuple[str, ...], *, threshold: int, least: int
) -> bool:
    """Whether a small number follows for one who knows how many rows there are."""
    question: Question = ("", "", "")
    places = tuple(dict.fromkeys(place for _, place in counts))
    facts = [_build_fact(build_answer_set(question, *key), count, threshold=threshold) for key, count in shown.items()]
    rows = {place: counts[ANSWERED, place] + counts[MISSING, place] for place in places}
    few = [place for place, n in rows.items() if place != TOTAL and is_small(n, threshold=least)]
    for place, n in rows.items():
        # Of a single country with few rows nobody may learn how many; nor then how many there are of all.
        is_known = not is_small(n, threshold=least) and not (place == TOTAL and len(few) == 1)
        all_rows = build_answer_set(question, ROWS, place)
        facts.append(Fact(pupils=all_rows, low=n, high=n) if is_known else Fact(pupils=all_rows, low=min(n, 1)))
    links = list(iterate_question_links(question, answers, places))
    try:
        return bool(infer_pupil_counts(facts, [], threshold=least, links=links).recovered)
    except ContradictionError:
        return True  # answers that the protocol does not know: nothing can be said of what they tell


def _build_fact(pupils: Pupils, count: Count, *, threshold: int) -> Fact:
    if count.value is None:
        return Fact(pupils=pupils, low=1)
    if not count.value:
        return Fact(pupils=pupils, low=0, high=0)
    return build_rounded_fact(pupils, count.value, threshold=threshold)
