"""Check an allocation without the toolkit that made it.

    python verify_allocation.py record.json schools.csv [--allocation allocation.csv] [--commitment HASH]
                                [--log log.jsonl] [--units classes.csv] [--column NAME=HEADER ...]

This file stands alone: it needs Python 3.10 or newer and nothing else, shares no code with the toolkit and follows the
sections of ALGORITHM.md. It reads the record, compares its schools and strata with schools.csv, computes the hashes,
draws the allocation again from the seed and says in plain words what it found. Records of schools that came after the
draw (later_1.json, ... beside the record, with their tables) are drawn again, too, and allocation.csv is compared with
all of them. With the log it also says whether the chain of its lines holds, whether a commitment preceded the draw,
and every draw that anybody made, with its reason.

It ends with 0 when everything agrees, 1 when something does not, 2 when a file cannot be read.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Any, TypeVar

Key = tuple[str, ...]
Edge = tuple[Key, int]
Row = dict[str, str]
Sizes = dict[Key, int]
Item = TypeVar("Item")
ALGORITHM = "crocoos-stratified-1"
SIMPLE, MATCHED, CONSTRAINED = "crocoos-simple-1", "crocoos-matched-1", "crocoos-constrained-1"
MISFITS = "crocoos-misfits-1"
UNIT, INVERSE_UNIT, MOST_TRIES = 100_000, 1000, 20_000
RECORD = "crocoos allocation record 2"
COMMITMENT = "crocoos commitment 2"
REPLACEMENT, REPLACEMENT_RECORD = "crocoos-replacement-1", "crocoos replacement record 1"
MINIMISED, MINIMISATION_RECORD = "crocoos-minimised-1", "crocoos minimisation record 1"
STEP = re.compile(r"later_([0-9]+)\.json")
NO = {"no", "n", "false", "0", "nem", "hamis", "ne", "не", "н", "netačno", "нетачно"}
TOLD = ("seed", "seed_source", "record", "withdrawn", "chosen", "reason")


class UnreadableError(Exception):
    """A file that cannot be read, with the reason."""


# 1. The random stream


class Stream:
    """Whole numbers from a seed: section 2 of ALGORITHM.md."""

    def __init__(self, seed: str, algorithm: str = ALGORITHM) -> None:
        self.seed = seed
        self.algorithm = algorithm
        self.block = 0
        self.waiting: list[int] = []

    def word(self) -> int:
        """Return the next 64-bit word."""
        if not self.waiting:
            text = self.algorithm + "\n" + self.seed + "\n" + str(self.block)
            digest = hashlib.sha256(text.encode("utf-8")).digest()
            self.waiting = [int.from_bytes(digest[i : i + 8], "big") for i in (24, 16, 8, 0)]
            self.block += 1
        return self.waiting.pop()

    def number(self, bound: int) -> int:
        """Return a number from 0 to bound - 1."""
        word = self.word() if bound > 1 else 0
        while word // bound >= 2**64 // bound:
            word = self.word()
        return word % bound

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in random order."""
        result = list(items)
        place = len(result)
        while place > 1:
            other = self.number(place)
            place -= 1
            result[place], result[other] = result[other], result[place]
        return result


# 2. How many schools of each stratum go to each arm


class Shares:
    """Shares of the open strata and of the groups that hold them: section 4 of ALGORITHM.md.

    A stratum is its tuple of values; a group is the tuple of the first values. An edge is (group, arm).
    """

    def __init__(self, sizes: Sizes, ratios: Sequence[int], stream: Stream) -> None:
        self.unit = sum(ratios)
        self.stream = stream
        self.depth = len(next(iter(sizes)))
        self.units: dict[Edge, int] = {}
        open_strata = sorted(s for s, n in sizes.items() if any(n * r % self.unit for r in ratios))
        for stratum, arm, level in product(open_strata, range(len(ratios)), range(self.depth + 1)):
            edge = (stratum[:level], arm)
            self.units[edge] = self.units.get(edge, 0) + sizes[stratum] * ratios[arm] % self.unit
        self.arms: list[int] = stream.shuffled(range(len(ratios))) if open_strata else []
        self.children: dict[Key, list[Key]] = {}
        for level in range(self.depth):
            inside: dict[Key, list[Key]] = {}
            for child in sorted({stratum[: level + 1] for stratum in open_strata}):
                inside.setdefault(child[:-1], []).append(child)
            self.children.update({group: stream.shuffled(inside[group]) for group in sorted(inside)})
        self.open_children = {
            (group, arm): [child for child in inside if self.broken((child, arm))]
            for group, inside in self.children.items()
            for arm in self.arms
        }
        self.strata = list(self.in_order(())) if open_strata else []

    def broken(self, edge: Edge) -> bool:
        """Return whether the share is not a whole number of schools."""
        return self.units[edge] % self.unit != 0

    def in_order(self, group: Key) -> Iterator[Key]:
        """Give the open strata of a group as they are met."""
        if len(group) == self.depth:
            yield group
        for child in self.children.get(group, ()):
            yield from self.in_order(child)

    def round_all(self) -> dict[Edge, int]:
        """Round every share, one cycle after the other."""
        for stratum in self.strata:
            while any(self.broken((stratum, arm)) for arm in self.arms):
                self.turn(self.cycle(stratum))
        return {edge: units // self.unit for edge, units in self.units.items() if len(edge[0]) == self.depth}

    def cycle(self, stratum: Key) -> list[tuple[Edge, bool]]:
        """Walk from a stratum until a place is met twice."""
        place: tuple[str, Key, int] = ("stratum", stratum, 0)
        places = [place]
        steps: list[tuple[Edge, bool]] = []
        came: Edge | None = None
        while True:
            came = next(edge for edge in self.ways(place) if edge != came and self.broken(edge))
            group, arm = came
            upward = place[0] == "stratum" or (place[0] == "sum" and place[1] == group)
            steps.append((came, upward))
            if upward:
                place = ("sum", group[:-1], arm) if group else ("top", (), 0)
            else:
                place = ("stratum", group, 0) if len(group) == self.depth else ("sum", group, arm)
            if place in places:
                return steps[places.index(place) :]
            places.append(place)

    def ways(self, place: tuple[str, Key, int]) -> Iterator[Edge]:
        """Give the edges at a place, those to try first first."""
        kind, group, arm = place
        if kind == "sum":
            yield from ((child, arm) for child in self.open_children[group, arm][:2])
            yield (group, arm)
        else:
            yield from ((group, other) for other in self.arms)

    def turn(self, cycle: Sequence[tuple[Edge, bool]]) -> None:
        """Shift shares round a cycle, one way or the other."""
        to_next = {edge: -self.units[edge] % self.unit for edge, _ in cycle}
        to_last = {edge: self.units[edge] % self.unit for edge, _ in cycle}
        forth = min(to_next[edge] if upward else to_last[edge] for edge, upward in cycle)
        back = min(to_last[edge] if upward else to_next[edge] for edge, upward in cycle)
        shift = forth if self.stream.number(forth + back) < back else -back
        for edge, upward in cycle:
            self.units[edge] += shift if upward else -shift
            group, arm = edge
            if group and not self.broken(edge):
                self.open_children[group[:-1], arm].remove(group)


# 3. The allocation


def draw_simple(stream: Stream, schools: Sequence[str], arms: Sequence[str], ratios: Sequence[int]) -> Row:
    """Draw every school by itself: section 6 of ALGORITHM.md."""
    slots = [arm for arm, ratio in zip(arms, ratios, strict=True) for _ in range(ratio)]
    while True:
        result = {school: slots[stream.number(len(slots))] for school in schools}
        if set(result.values()) == set(arms):
            return result


def draw_misfit_lot(stream: Stream, slots: Sequence[int], n: int) -> list[int]:
    """Return the arms of so many misfits: section 12 of ALGORITHM.md."""
    return list(slots) * (n // len(slots)) + (stream.shuffled(slots)[: n % len(slots)] if n else [])


def settle_misfits(stream: Stream, sizes: Sizes, ratios: Sequence[int], misfits: str) -> dict[Edge, int]:
    """Return the schools of each stratum and arm: section 12 of ALGORITHM.md."""
    lowest = [ratio // math.gcd(*ratios) for ratio in ratios]
    one_each = misfits in ("strata", "global")
    slots = [arm for arm, ratio in enumerate(lowest) for _ in range(1 if one_each else ratio)]
    left = {stratum: sizes[stratum] % sum(lowest) for stratum in sorted(sizes)}
    if misfits in ("global", "wglobal"):
        lot = stream.shuffled(draw_misfit_lot(stream, slots, sum(left.values())))
    else:
        lot = [arm for n in left.values() for arm in draw_misfit_lot(stream, slots, n)]
    counts = {}
    for stratum, n in left.items():
        stratum_lot, lot, sets = lot[:n], lot[n:], sizes[stratum] // sum(lowest)
        counts.update({(stratum, arm): sets * ratio + stratum_lot.count(arm) for arm, ratio in enumerate(lowest)})
    return counts


def settle_shares(stream: Stream, sizes: Sizes, ratios: Sequence[int]) -> dict[Edge, int]:
    """Return the schools of each stratum and arm: sections 3 and 4 of ALGORITHM.md."""
    rounded = Shares(sizes, ratios, stream).round_all()
    return {
        (stratum, arm): n * ratio // sum(ratios) + rounded.get((stratum, arm), 0)
        for stratum, n in sizes.items()
        for arm, ratio in enumerate(ratios)
    }


def draw_from(
    stream: Stream, strata_of: dict[str, Key], arms: Sequence[str], ratios: Sequence[int], misfits: str = "balanced"
) -> Row:
    """Draw the arm of every school: sections 3 to 5 of ALGORITHM.md, with section 12 in place of 4 for misfits."""
    members: dict[Key, list[str]] = {}
    for school in sorted(strata_of):
        members.setdefault(strata_of[school], []).append(school)
    sizes, balanced = {stratum: len(schools) for stratum, schools in members.items()}, misfits == "balanced"
    counts = settle_shares(stream, sizes, ratios) if balanced else settle_misfits(stream, sizes, ratios, misfits)
    result = {}
    for stratum in sorted(members):
        waiting = stream.shuffled(members[stratum])
        for arm, name in enumerate(arms):
            result.update(dict.fromkeys(waiting[: counts[stratum, arm]], name))
            waiting = waiting[counts[stratum, arm] :]
    return result


# 4. Constraints


def standardised(texts: Sequence[str], category: bool) -> list[list[int]]:
    """Turn a variable into columns of whole numbers: section 8 of ALGORITHM.md."""
    if not category and all(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) for text in texts):
        columns = [[Fraction(text) for text in texts]]
    else:
        columns = [[Fraction(text == level) for text in texts] for level in sorted(set(texts))[1:]]
    result = []
    for column in columns:
        mean = sum(column, Fraction(0)) / len(column)
        variance = sum(((x - mean) ** 2 for x in column), Fraction(0)) / (len(column) - 1)
        sizes = [math.isqrt(int(UNIT**2 * (x - mean) ** 2 / variance)) for x in column]
        result.append([size if x > mean else -size for size, x in zip(sizes, column, strict=True)])
    return result


def compute_inverse_correlations(columns: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the inverse of the columns' correlations, rounded: section 8 of ALGORITHM.md."""
    size, divisor = len(columns), (len(columns[0]) - 1) * UNIT**2
    cross = [[Fraction(sum(map(int.__mul__, a, b)), divisor) for b in columns] for a in columns]
    result = []
    for place in range(size):
        rows = [[*row, Fraction(number == place)] for number, row in enumerate(cross)]
        for k in range(size):
            pivot = next(row for row in range(k, size) if rows[row][k])
            rows[k], rows[pivot] = rows[pivot], rows[k]
            for row in {*range(size)} - {k}:
                factor = rows[row][k] / rows[k][k]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[k], strict=True)]
        result.append([(rows[k][size] / rows[k][k] * INVERSE_UNIT + Fraction(1, 2)).__floor__() for k in range(size)])
    return [list(row) for row in zip(*result, strict=True)]


class Rule:
    """Which draws may be used: section 8 of ALGORITHM.md."""

    def __init__(self, constraint: dict[str, Any], values: dict[str, list[str]], limit: int | None) -> None:
        self.kind, self.limit = constraint["score"], limit
        stated = {name: int(Fraction(str(most)) * UNIT) for name, most in constraint["limits"]}
        names = constraint["variables"]
        named_columns = [(n, c) for n in names for c in standardised(values[n], n in constraint["categories"])]
        self.columns = [column for _, column in named_columns]
        self.limits = [stated.get(name) for name, _ in named_columns]
        self.inverse = compute_inverse_correlations(self.columns) if self.kind == "mahalanobis" else []

    def differences(self, chosen: Sequence[str], arms: Sequence[str]) -> list[list[int]]:
        """Return the differences of means of each two arms."""
        n = {arm: chosen.count(arm) for arm in arms}
        result = []
        for first_arm, other in combinations(arms, 2):
            row = []
            for column in self.columns:
                first, second = (
                    sum(z for z, arm in zip(column, chosen, strict=True) if arm == a) for a in (first_arm, other)
                )
                row.append(int(Fraction(second * n[first_arm] - first * n[other], n[first_arm] * n[other])))
            result.append(row)
        return result

    def score(self, differences: Sequence[Sequence[int]]) -> int:
        """Return the score of a draw."""
        if self.kind == "max_difference":
            return max(abs(value) for row in differences for value in row)
        if self.kind == "l2":
            return sum(value**2 for row in differences for value in row)
        cells = [(a, b, weight) for a, row in enumerate(self.inverse) for b, weight in enumerate(row)]
        return sum(weight * row[a] * row[b] for row in differences for a, b, weight in cells)

    def lets_through(self, chosen: Sequence[str], arms: Sequence[str]) -> bool:
        """Return whether a draw may be used."""
        differences = self.differences(chosen, arms)
        pairs = [pair for row in differences for pair in zip(row, self.limits, strict=True)]
        within = all(most is None or abs(value) <= most for value, most in pairs)
        return within and (self.limit is None or self.score(differences) <= self.limit)


# 5. Files and findings


def compute_sha256(text: str) -> str:
    """Return the hash of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def format_compact_json(values: object) -> str:
    """Return JSON with sorted keys and without spaces: section 14 of ALGORITHM.md."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def read_json(path: Path) -> dict[str, Any]:
    """Read JSON that holds texts and whole numbers only: section 14 of ALGORITHM.md."""

    def refuse_constant(text: str) -> None:
        raise ValueError(f"{text} is not a whole number")

    values: dict[str, Any] = json.loads(content_of(path), parse_float=refuse_constant, parse_constant=refuse_constant)
    return values


def compute_table_hash(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the hash of a table: section 1 of ALGORITHM.md."""
    return compute_sha256("".join("\t".join(fields) + "\n" for fields in [header, *rows]))


def content_of(path: Path) -> bytes:
    """Return the bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{path.name} cannot be read: {error.strerror}.") from error


def read_table(path: Path, encoding: str) -> list[Row]:
    """Read a CSV file with commas, semicolons or tabs."""
    try:
        text = content_of(path).decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise UnreadableError(f"{path.name} is not in the encoding {encoding}; state it with --encoding.") from error
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
    names = [name.strip() for name in rows[0]] if rows else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableError(f"{path.name} has the column '{twice[0]}' twice.")
    return [dict(zip(names, (field.strip() for field in row), strict=False)) for row in rows[1:] if any(row)]


def get_column(rows: list[Row], name: str, headers: Row, file: str) -> list[str]:
    """Return a column of a file."""
    header = headers.get(name, name)
    if not rows or header not in rows[0]:
        known = ", ".join(rows[0]) if rows else "none"
        raise UnreadableError(
            f"{file} has no column '{header}' (it has: {known}). State its header: --column {name}=HEADER."
        )
    return [row.get(header, "") for row in rows]


def compare_ids(recorded: Sequence[str], found: Sequence[str], file: str) -> list[str]:
    """Compare schools of the record with schools of a file."""
    problems = [f"{file} names a school twice."] if len(set(found)) < len(found) else []
    missing, more = sorted(set(recorded) - set(found)), sorted(set(found) - set(recorded))
    if missing:
        problems.append(f"{file} lacks {len(missing)} of the record's schools, for instance {missing[0]}.")
    if more:
        problems.append(f"{file} has {len(more)} schools that the record does not have, for instance {more[0]}.")
    return problems


def compare_strata(name: str, recorded: Row, found: Row) -> tuple[list[str], list[str]]:
    """Compare a stratum's values; spellings may differ, but not who is together with whom."""
    meant: Row = {}
    both = sorted(set(recorded) & set(found))
    problems = [
        f"School {school}: '{name}' is '{found[school]}', but was '{recorded[school]}' at the draw."
        for school in both
        if meant.setdefault(found[school], recorded[school]) != recorded[school]
    ]
    known = set(recorded.values())
    exchanged = [now for now, then in meant.items() if now != then and now in known]
    if exchanged and not problems:
        then = meant[exchanged[0]]
        problems = [f"schools.csv has '{exchanged[0]}' in '{name}' where it was '{then}' at the draw."]
    spelled = [f"'{then}' as '{now}'" for now, then in meant.items() if now != then]
    notes = [f"schools.csv spells '{name}' otherwise: {', '.join(spelled)}."] if spelled and not problems else []
    return problems, notes


def compare_values(name: str, recorded: Row, found: Row) -> list[str]:
    """Compare a variable's values: as numbers where both are numbers."""
    problems = []
    for school in sorted(set(recorded) & set(found)):
        then, now = recorded[school], found[school]
        try:
            same = then == now or Fraction(then) == Fraction(now)
        except ValueError:
            same = False
        if not same:
            problems.append(f"School {school}: '{name}' is '{now}', but was '{then}' at the draw.")
    return problems


def find_class(text: str, marks: Sequence[str]) -> str:
    """Return the class of a number that the design cuts: "Classes" in ALGORITHM.md."""
    names = ["below " + marks[0], *(a + " to below " + b for a, b in pairwise(marks)), marks[-1] + " and more"]
    try:
        place = sum(Decimal(text) >= Decimal(mark) for mark in marks)
    except InvalidOperation:
        return text
    return "abcdefghijklmnopqrstuvwxyz"[place] + ": " + names[place]


class Record:
    """What the record states."""

    def __init__(self, path: Path) -> None:
        values = read_json(path)
        if values["format"] != RECORD:
            raise UnreadableError(f"{path.name} is not a '{RECORD}'.")
        self.algorithm, self.drawn, self.seed = values["algorithm"], values["drawn"], values["seed"]
        self.frame_sha256, self.allocation_sha256 = values["frame_sha256"], values["allocation_sha256"]
        design, schools = values["design"], values["schools"]
        self.design = format_compact_json(design)
        self.labels = format_compact_json(values["arm_labels"])
        self.cuts: dict[str, list[str]] = {name: list(cut_points) for name, cut_points in design.get("cuts", [])}
        self.kind, self.constraint = design["kind"], design.get("constraint")
        self.misfits: str = design.get("misfits", "balanced")
        self.columns: list[str] = design["strata"] + (["matched_set"] if self.kind == "matched" else [])
        self.minimisation: dict[str, Any] = design.get("minimisation") or {}
        looked_at = [(rule or {}).get("variables", []) for rule in (design.get("matching"), self.constraint)]
        order = [self.minimisation["order"]] if self.minimisation.get("order") else []
        self.variables: list[str] = list(dict.fromkeys([*looked_at[0], *looked_at[1], *order]))
        self.before: list[tuple[Key, str]] = [(tuple(s["strata"]), s["arm"]) for s in values.get("before", [])]
        self.score_limit = int(values["score_limit"]) if "score_limit" in values else None
        self.values_of: dict[str, Key] = {s["school_id"]: tuple(s.get("values", ())) for s in schools}
        self.arms: list[str] = [arm["name"] for arm in design["arms"]]
        self.ratios: list[int] = [int(arm["ratio"]) for arm in design["arms"]]
        self.strata_of: dict[str, Key] = {s["school_id"]: tuple(s["strata"]) for s in schools}
        self.arm_of: Row = {s["school_id"]: s["arm"] for s in schools}

    def problems(self) -> list[str]:
        """Return what is wrong with the record itself."""
        schools, record_problems = sorted(self.strata_of), list[str]()
        rows = [(s, *self.strata_of[s], *self.values_of[s]) for s in schools]
        if compute_table_hash(["school_id", *self.columns, *self.variables], rows) != self.frame_sha256:
            record_problems.append("The record's schools and strata do not have the hash that it states.")
        if compute_table_hash(["school_id", "arm"], [(s, self.arm_of[s]) for s in schools]) != self.allocation_sha256:
            record_problems.append("The record's arms do not have the hash that it states.")
        plain = ALGORITHM if self.misfits == "balanced" else MISFITS
        of_kind = {"simple": SIMPLE, "matched": MATCHED, "minimisation": MINIMISED}.get(self.kind, plain)
        known = CONSTRAINED if self.constraint else of_kind
        if self.drawn == "here" and self.algorithm != known:
            record_problems.append(f"The record was drawn by '{self.algorithm}', this file knows '{known}'.")
        elif self.drawn == "here":
            drawn = self.drawn_again()
            other = [school for school in schools if drawn[school] != self.arm_of[school]]
            if other:
                record_problems.append(f"Drawn again, {len(other)} schools get another arm, for instance {other[0]}.")
        size, sets = sum(self.ratios), [values for values in self.strata_of.values() if self.kind == "matched"]
        odd = sorted(name for name in set(sets) if name[-1] != "rest" and sets.count(name) != size)
        return record_problems + [f"Set {' / '.join(name)} does not have {size} schools." for name in odd[:1]]

    def named(self) -> list[str]:
        """Return the columns of the frame that the draw depends on; sets of schools are the record's own."""
        return [name for name in dict.fromkeys([*self.columns, *self.variables]) if name != "matched_set"]

    def commitment(self) -> str:
        """Return the hash that was to be published before the seed was known: section 9 of ALGORITHM.md."""
        limit = "" if self.score_limit is None else str(self.score_limit)
        lines = [COMMITMENT, self.algorithm, self.frame_sha256, self.design, limit]
        return compute_sha256("".join(line + "\n" for line in lines))

    def in_log(self) -> Row:
        """Return what the log's entry of the draw states: section 13 of ALGORITHM.md."""
        stated = {"seed": self.seed, "frame_sha256": self.frame_sha256, "allocation_sha256": self.allocation_sha256}
        return stated | {"design_sha256": compute_sha256(self.design), "arm_labels": self.labels}

    def stratum_of(self, school: str) -> str:
        """Return what allocation.csv calls a school's stratum."""
        return " / ".join(self.strata_of[school]) if self.columns else "all"

    def in_order(self) -> list[str]:
        """Return the schools in the order in which they joined: section 11 of ALGORITHM.md."""
        order = self.minimisation.get("order")
        if not order:
            return sorted(self.strata_of)
        place = self.variables.index(order)
        return sorted(self.strata_of, key=lambda school: (Fraction(self.values_of[school][place]), school))

    def joined(self) -> list[tuple[Key, str]]:
        """Return strata and arms of all who had joined a minimisation after this draw."""
        return [*self.before, *((self.strata_of[school], self.arm_of[school]) for school in self.in_order())]

    def drawn_again(self) -> Row:
        """Draw again as the record's algorithm does."""
        stream, schools = Stream(self.seed, self.algorithm), sorted(self.strata_of)
        if self.algorithm == SIMPLE:
            return draw_simple(stream, schools, self.arms, self.ratios)
        if self.algorithm == MINIMISED:
            return self.minimised_again()
        values = {name: [self.values_of[s][k] for s in schools] for k, name in enumerate(self.variables)}
        rule = Rule(self.constraint, values, self.score_limit) if self.constraint else None
        for _ in range(MOST_TRIES):
            drawn = draw_from(stream, self.strata_of, self.arms, self.ratios, self.misfits)
            if rule is None or rule.lets_through([drawn[school] for school in schools], self.arms):
                return drawn
        return dict.fromkeys(schools, "")

    def minimised_again(self) -> Row:
        """Let the schools join again: section 11 of ALGORITHM.md."""
        rule, arms = self.minimisation, list(zip(self.arms, self.ratios, strict=True))
        joined, drawn = list(self.before), {}
        for school in self.in_order():
            stream = Stream(f"{self.seed} {len(joined) + 1}", MINIMISED)
            drawn[school] = draw_minimised_arm(arms, joined, self.strata_of[school], int(rule["chance"]), stream)
            joined.append((self.strata_of[school], drawn[school]))
        return drawn


def compare_columns(record: Record, found: dict[str, Row]) -> tuple[list[str], list[str]]:
    """Compare strata and variables of the record with those of the frame."""
    problems, notes = list[str](), list[str]()
    for name in record.named():
        if name in record.variables:
            then = {s: school_values[record.variables.index(name)] for s, school_values in record.values_of.items()}
            problems += compare_values(name, then, found[name])
        if name in record.columns:
            then = {s: school_strata[record.columns.index(name)] for s, school_strata in record.strata_of.items()}
            if name in record.cuts:
                classes = {s: find_class(text, record.cuts[name]) for s, text in found[name].items()}
                problems += compare_values(name, then, classes)
            else:
                wrong, spelled = compare_strata(name, then, found[name])
                problems, notes = problems + wrong, notes + spelled
    return problems, notes


def check(record: Record, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return problems and notes of a record and the files beside it."""
    headers = dict(pair.split("=", 1) for pair in options.column)
    problems = record.problems()
    file, schools = options.schools.name, sorted(record.strata_of)
    rows = read_table(options.schools, options.encoding)
    if options.units:
        rows = build_drawn_units(rows, options, headers)
    ids = get_column(rows, "school_id", headers, file)
    declined = find_declined_schools(rows, ids, headers, schools)
    problems += compare_ids(schools, [school for school in ids if school not in declined], file)
    frame_columns = {n: dict(zip(ids, get_column(rows, n, headers, file), strict=True)) for n in record.named()}
    wrong, notes = compare_columns(record, frame_columns)
    problems += wrong
    if declined:
        notes.append(f"{file} lists {len(declined)} schools that declined and were not drawn.")
    taking_part, wrong, later = replay_after_draw(record, options)
    problems, notes = problems + wrong, notes + later
    if options.allocation:
        problems += compare_allocation(taking_part, options)
    if options.commitment:
        held = record.commitment() == options.commitment.strip().lower()
        committed = "those that were committed to." if held else "not of the frame and design that were committed to."
        (notes if held else problems).append(f"{'Frame and design are' if held else 'The record is'} {committed}")
    if record.drawn != "here":
        notes.append("The allocation was drawn elsewhere: the draw itself cannot be checked, the rest was.")
    return problems, notes


def build_drawn_units(rows: list[Row], options: argparse.Namespace, headers: Row) -> list[Row]:
    """Return a row for each class that was drawn within its school, with what the frame knows of the school."""
    header, file = headers.get("school_id", "school_id"), options.units.name
    known = dict(zip(get_column(rows, "school_id", headers, options.schools.name), rows, strict=True))
    units = read_table(options.units, options.encoding)
    pairs = zip(get_column(units, "school_id", {}, file), get_column(units, "class", {}, file), strict=True)
    return [{**known.get(school, {}), header: f"{school} / {unit}", "school": school} for school, unit in pairs]


def find_declined_schools(rows: list[Row], ids: Sequence[str], headers: Row, drawn: Sequence[str]) -> set[str]:
    """Return the schools of the frame that were not drawn and whose consent is "no"."""
    header = headers.get("consent", "consent")
    answers = [row.get(header, "").casefold() for row in rows]
    return {school for school, answer in zip(ids, answers, strict=True) if answer in NO and school not in drawn}


def compare_allocation(taking_part: dict[str, tuple[str, str]], options: argparse.Namespace) -> list[str]:
    """Compare allocation.csv, all of its columns, with the records."""
    file = options.allocation.name
    rows = read_table(options.allocation, options.encoding)
    ids = get_column(rows, "school_id", {}, file)
    problems = compare_ids(sorted(taking_part), ids, file)
    for row, school, arm in zip(rows, ids, get_column(rows, "arm", {}, file), strict=True):
        stratum, recorded_arm = taking_part.get(school, (row.get("stratum", ""), arm))
        if arm != recorded_arm:
            problems.append(f"{file} has school {school} in '{arm}', the record in another arm.")
        if row.get("stratum", stratum) != stratum:
            problems.append(f"{file} has school {school} in stratum '{row['stratum']}', the record in '{stratum}'.")
    return problems


def replay_after_draw(
    record: Record, options: argparse.Namespace
) -> tuple[dict[str, tuple[str, str]], list[str], list[str]]:
    """Draw what came after the draw again: who takes part (stratum and arm), problems and notes."""
    taking_part = {school: (record.stratum_of(school), arm) for school, arm in record.arm_of.items()}
    problems, notes, joined = list[str](), list[str](), record.joined()
    for number, (place, path) in enumerate(find_later_records(options.record), start=1):
        if place != number:
            problems.append(f"{path.name} is there, and later_{number}.json is missing.")
        rows = read_table(path.with_suffix(".csv"), options.encoding)
        if read_json(path)["format"] == REPLACEMENT_RECORD:
            wrong, summary = replay_replacement(path, rows, taking_part)
        else:
            late = Record(path)
            wrong, summary = compare_late(late, path, rows), f"{len(late.arm_of)} schools were drawn later."
            if late.kind == "minimisation" and late.before != joined:
                wrong.append("The schools that had joined before are not those of the records before.")
            joined = late.joined()
            taking_part |= {school: (f"late {place}", arm) for school, arm in late.arm_of.items()}
        problems += [f"{path.name}: {text}" for text in wrong]
        notes += [f"{path.name}: {summary}"] if not wrong else []
    return taking_part, problems, notes


def find_later_records(record: Path) -> list[tuple[int, Path]]:
    """Return the records of what came after a draw, which lie beside its own; none beside such a record itself."""
    if STEP.fullmatch(record.name):
        return []
    return sorted((int(m[1]), path) for path in record.parent.iterdir() if (m := STEP.fullmatch(path.name)))


def compare_late(late: Record, path: Path, rows: list[Row]) -> list[str]:
    """Draw late schools again, and compare them with their table."""
    file = path.with_suffix(".csv").name
    ids = get_column(rows, "school_id", {}, file)
    frame_columns = {name: dict(zip(ids, get_column(rows, name, {}, file), strict=True)) for name in late.named()}
    return [*late.problems(), *compare_ids(sorted(late.arm_of), ids, file), *compare_columns(late, frame_columns)[0]]


def replay_replacement(path: Path, rows: list[Row], taking_part: dict[str, tuple[str, str]]) -> tuple[list[str], str]:
    """Put a reserve into the place of a school that withdrew: section 10 of ALGORITHM.md."""
    values, file = read_json(path), path.with_suffix(".csv").name
    problems = [text for text in [find_replay_problem(values)] if text]
    problems += compare_ids(values["reserves"], get_column(rows, "school_id", {}, file), file)
    withdrawn, chosen = values["withdrawn"], values["chosen"]
    if withdrawn not in taking_part or taking_part[withdrawn][1] != values["arm"]:
        return [*problems, f"School {withdrawn}, which withdrew, was not in the arm '{values['arm']}'."], ""
    taking_part[chosen] = taking_part.pop(withdrawn)
    return problems, f"School {chosen} was drawn from {len(values['reserves'])} reserves for the place of {withdrawn}."


def draw_minimised_arm(
    arms: Sequence[tuple[str, int]], before: Sequence[tuple[Key, str]], values: Key, chance: int, stream: Stream
) -> str:
    """Draw the arm of a school that joins: section 11 of ALGORITHM.md."""
    if stream.number(100) >= chance:
        return [name for name, ratio in arms for _ in range(ratio)][stream.number(sum(ratio for _, ratio in arms))]
    totals = {}
    for chosen, _ in arms:
        total = Fraction(0)
        for place, value in enumerate(values):
            held = [arm for school_values, arm in before if school_values[place] == value] + [chosen]
            shares = [Fraction(held.count(name), ratio) for name, ratio in arms]
            total += max(shares) - min(shares)
        totals[chosen] = total
    best = [name for name, _ in arms if totals[name] == min(totals.values())]
    return best[stream.number(len(best))]


def find_replay_problem(values: dict[str, Any]) -> str:
    """Draw a replacement or a minimisation again; returns what is wrong, or nothing."""
    if values["format"] == REPLACEMENT_RECORD:
        stream = Stream(values["seed"] + " " + values["withdrawn"], REPLACEMENT)
        drawn = sorted(values["reserves"])[stream.number(len(values["reserves"]))]
        return "" if drawn == values["chosen"] else f"The draw gives school {drawn}, the record {values['chosen']}."
    arms = [(arm["name"], int(arm["ratio"])) for arm in values["arms"]]
    before: list[tuple[Key, str]] = []
    for number, school in enumerate(values["schools"], start=1):
        stream = Stream(values["seed"] + " " + str(number), MINIMISED)
        drawn = draw_minimised_arm(arms, before, tuple(school["values"]), int(values["chance"]), stream)
        if drawn != school["arm"]:
            return f"The draw gives school {school['school_id']} the arm {drawn}, the record {school['arm']}."
        before.append((tuple(school["values"]), drawn))
    return ""


# 6. The log


BEGUN_AGAIN = "begun again"
"""Event of the first line of a log whose predecessor is lost; it names the draw and the later steps of then."""


def parse_log_entry(line: bytes) -> dict[str, Any]:
    """Return the entry that a line is; nothing if it is not as entries are written: section 13 of ALGORITHM.md."""
    try:
        entry = json.loads(line)
        texts = [entry[name] for name in ("time", "event", "previous_sha256", "sha256")] + [*entry["detail"].values()]
        sound = len(entry) == 6 and isinstance(entry["sequence"], int) and all(isinstance(text, str) for text in texts)
        return entry if sound and format_compact_json(entry).encode() + b"\n" == line.replace(b"\r\n", b"\n") else {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def describe_first_break(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Describe where the chain is broken first; nothing if it holds."""
    previous = "0" * 64
    for number, entry in enumerate(entries, start=1):
        hashed = {name: value for name, value in entry.items() if name != "sha256"}
        if not entry or compute_sha256(format_compact_json(hashed)) != entry["sha256"]:
            return [f"The chain is broken at line {number}, which is not as it was written; no later line is sure."]
        if (entry["sequence"], entry["previous_sha256"]) != (number, previous):
            return [
                f"The chain is broken at line {number}: a line was taken out, put in or moved; no later one is sure."
            ]
        previous = entry["sha256"]
    return []


def draw_finding(log: Sequence[dict[str, Any]], record: Record, published: str) -> tuple[bool, str]:
    """Return whether the last entry of a log is the record's draw, and whether a commitment precedes it."""
    if not log or any(log[-1]["detail"].get(name) != value for name, value in record.in_log().items()):
        return False, "The last draw in the log is not the one in the record."
    if log[-1]["event"] == BEGUN_AGAIN:
        return (
            not published,
            "An earlier log is lost: nothing shows whether a commitment preceded, nor how often anybody drew.",
        )
    stated = log[-1]["detail"].get("commitment_sha256")
    if not stated:
        return not published, "No commitment preceded the draw: nothing here shows that the seed was not chosen."
    earlier = [entry for entry in log if entry["event"] == "committed"][-1:]
    if not earlier or earlier[0]["detail"].get("commitment_sha256") != stated or record.commitment() != stated:
        return False, "No commitment to this frame and design precedes the draw in the log."
    return True, f"The commitment of {earlier[0]['time']} (SHA-256 {stated}) precedes the draw in the log."


def compare_later(log: Sequence[dict[str, Any]], options: argparse.Namespace) -> list[str]:
    """Describe where the records of what came after the last draw are not those that the log names."""
    named = [entry["detail"].get("record_sha256", "") for entry in log if entry["event"] in ("added", "replaced")]
    if log and log[0]["event"] == BEGUN_AGAIN:
        named = [digest for _, digest in json.loads(log[0]["detail"]["later"])] + named
    contents = (content_of(path).replace(b"\r\n", b"\n") for _, path in find_later_records(options.record))
    held = [hashlib.sha256(content).hexdigest() for content in contents]
    if named == held:
        return []
    if len(named) == len(held):
        return ["A record of what came after the draw is not the one that the log names."]
    return [f"The log names {len(named)} records of what came after the draw, and beside the record are {len(held)}."]


def check_log(record: Record | None, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return problems and notes of the log: its chain, what it says happened, and whether it names the record."""
    entries = [parse_log_entry(line) for line in content_of(options.log).splitlines(keepends=True)]
    log, problems = [entry for entry in entries if entry], describe_first_break(entries)
    draws = [place for place, entry in enumerate(log) if entry["event"] in ("drawn", "adopted")]
    is_lost = bool(log) and log[0]["event"] == BEGUN_AGAIN
    digest = hashlib.sha256(content_of(options.record).replace(b"\r\n", b"\n")).hexdigest()
    named = any(entry["detail"].get("record_sha256") == digest for entry in log)
    held, statement = named, f"The log {'names' if named else 'does not name'} this record."
    if record and not named:
        end = draws[-1] + 1 if draws else int(is_lost)
        held, statement = draw_finding(log[:end], record, options.commitment)
        if options.allocation:
            problems = problems + compare_later(log[draws[-1] + 1 :] if draws else log if is_lost else [], options)
    notes = [statement] if held else []
    for place, entry in enumerate(log):
        details = {name: entry["detail"][name] for name in TOLD if entry["detail"].get(name)}
        details |= {"reason": "none given"} if place in draws[1:] and "reason" not in details else {}
        facts = "".join(f", {name.replace('_', ' ')}: {text}" for name, text in details.items())
        notes.append(f"Line {entry['sequence']} of the log, {entry['time']}: {entry['event']}{facts}.")
    if not is_lost:
        notes.append(f"In the log the schools were drawn {'once' if len(draws) == 1 else f'{len(draws)} times'}.")
    if not problems and log:
        notes.append(f"The chain of {len(log)} lines holds; lines cut off at its end would change its last hash:")
        notes.append(log[-1]["sha256"])
    return problems if held else [*problems, statement], notes


def main(arguments: Sequence[str]) -> int:
    """Run the check; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check an allocation without the toolkit that made it.")
    parser.add_argument("record", type=Path, help="record.json of the allocation")
    parser.add_argument("schools", type=Path, nargs="?", help="schools.csv, the sampling frame")
    parser.add_argument("--allocation", type=Path, help="allocation.csv, to compare it with the record")
    parser.add_argument("--units", type=Path, help="the list of classes, where classes were drawn within schools")
    parser.add_argument("--commitment", default="", metavar="HASH", help="hash published before the seed was known")
    parser.add_argument("--log", type=Path, help="log.jsonl, to check its chain and count the draws")
    parser.add_argument("--column", action="append", default=[], metavar="NAME=HEADER", help="header of a column")
    parser.add_argument("--encoding", default="utf-8-sig", help="of the CSV files (default: UTF-8)")
    options = parser.parse_args(arguments)
    if any("=" not in pair for pair in options.column):
        parser.error("--column is stated as NAME=HEADER.")
    try:
        values = read_json(options.record)
        small = values["format"] in (REPLACEMENT_RECORD, MINIMISATION_RECORD)
        if small:
            problems, notes, drawn = [text for text in [find_replay_problem(values)] if text], list[str](), ""
        elif options.schools is None:
            parser.error("State the sampling frame, schools.csv.")
        else:
            record = Record(options.record)
            problems, notes = check(record, options)
            counts = ", ".join(f"{list(record.arm_of.values()).count(arm)} {arm}" for arm in record.arms)
            drawn = f": {len(record.arm_of)} schools ({counts}), seed '{record.seed}'."
        if options.log:
            wrong, log_notes = check_log(None if small else record, options)
            problems, notes = problems + wrong, notes + log_notes
    except UnreadableError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        sys.stdout.write(f"{options.record.name} is not an allocation record ({error!r}).\n")
        return 2
    checked = "Verified" if small or record.drawn == "here" else "Consistent"
    for line in [*problems, *notes, ("NOT VERIFIED" if problems else checked) + drawn]:
        # A control character in a text could hide from a terminal what is said here.
        sys.stdout.write("".join(sign if sign.isprintable() else "?" for sign in line) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
