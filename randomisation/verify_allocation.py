"""Check an allocation without the toolkit that made it.

    python verify_allocation.py record.json schools.csv [--allocation allocation.csv] [--column NAME=HEADER ...]

This file stands alone: it needs Python 3.10 or newer and nothing else, shares no code with the toolkit and follows the
sections of ALGORITHM.md. It reads the record, compares its schools and strata with schools.csv, computes the hashes,
draws the allocation again from the seed and says in plain words what it found.

It ends with 0 when everything agrees, 1 when something does not, 2 when a file cannot be read.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

Key = tuple[str, ...]
Edge = tuple[Key, int]
Item = TypeVar("Item")
ALGORITHM = "crocoos-stratified-1"
RECORD = "crocoos allocation record 1"


class UnreadableError(Exception):
    """A file that cannot be read, with the reason."""


# 1. The random stream


class Stream:
    """Whole numbers from a seed: section 2 of ALGORITHM.md."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.block = 0
        self.waiting: list[int] = []

    def word(self) -> int:
        """Return the next 64-bit word."""
        if not self.waiting:
            text = ALGORITHM + "\n" + self.seed + "\n" + str(self.block)
            digest = hashlib.sha256(text.encode("utf-8")).digest()
            self.waiting = [int.from_bytes(digest[i : i + 8], "big") for i in (24, 16, 8, 0)]
            self.block += 1
        return self.waiting.pop()

    def number(self, bound: int) -> int:
        """Return a number from 0 to bound - 1."""
        if bound < 2:
            return 0
        while True:
            word = self.word()
            if word // bound < 2**64 // bound:
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

    def __init__(self, sizes: dict[Key, int], ratios: Sequence[int], stream: Stream) -> None:
        self.unit = sum(ratios)
        self.stream = stream
        self.depth = len(next(iter(sizes)))
        self.units: dict[Edge, int] = {}
        open_strata = sorted(s for s, n in sizes.items() if any(n * r % self.unit for r in ratios))
        for stratum in open_strata:
            for arm, ratio in enumerate(ratios):
                for level in range(self.depth + 1):
                    edge = (stratum[:level], arm)
                    self.units[edge] = self.units.get(edge, 0) + sizes[stratum] * ratio % self.unit
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
        """Tell whether the share is not a whole number of schools."""
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


def draw(strata_of: dict[str, Key], arms: Sequence[str], ratios: Sequence[int], seed: str) -> dict[str, str]:
    """Draw the arm of every school: sections 3 and 5 of ALGORITHM.md."""
    members: dict[Key, list[str]] = {}
    for school in sorted(strata_of):
        members.setdefault(strata_of[school], []).append(school)
    stream = Stream(seed)
    sizes = {stratum: len(schools) for stratum, schools in members.items()}
    rounded = Shares(sizes, ratios, stream).round_all()
    result = {}
    for stratum in sorted(members):
        waiting = stream.shuffled(members[stratum])
        for arm, name in enumerate(arms):
            n_schools = sizes[stratum] * ratios[arm] // sum(ratios) + rounded.get((stratum, arm), 0)
            result.update(dict.fromkeys(waiting[:n_schools], name))
            waiting = waiting[n_schools:]
    return result


# 4. Files and findings


def table_hash(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the hash of a table: section 1 of ALGORITHM.md."""
    lines = ["\t".join(fields) + "\n" for fields in [header, *rows]]
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def read_table(path: Path, encoding: str) -> list[dict[str, str]]:
    """Read a CSV file with commas, semicolons or tabs."""
    try:
        text = path.read_bytes().decode(encoding)
    except OSError as error:
        raise UnreadableError(f"{path.name} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, LookupError) as error:
        raise UnreadableError(f"{path.name} is not in the encoding {encoding}; state it with --encoding.") from error
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
    names = [name.strip() for name in rows[0]] if rows else []
    return [dict(zip(names, (field.strip() for field in row), strict=False)) for row in rows[1:] if any(row)]


def column_of(rows: list[dict[str, str]], name: str, headers: dict[str, str], file: str) -> list[str]:
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
    problems = []
    if len(set(found)) < len(found):
        problems.append(f"{file} names a school twice.")
    missing, more = sorted(set(recorded) - set(found)), sorted(set(found) - set(recorded))
    if missing:
        problems.append(f"{file} lacks {len(missing)} of the record's schools, for instance {missing[0]}.")
    if more:
        problems.append(f"{file} has {len(more)} schools that the record does not have, for instance {more[0]}.")
    return problems


def compare_strata(name: str, recorded: dict[str, str], found: dict[str, str]) -> tuple[list[str], list[str]]:
    """Compare a stratum's values; spellings may differ, but not who is together with whom."""
    meant: dict[str, str] = {}
    both = sorted(set(recorded) & set(found))
    problems = [
        f"School {school}: '{name}' is '{found[school]}', but was '{recorded[school]}' at the draw."
        for school in both
        if meant.setdefault(found[school], recorded[school]) != recorded[school]
    ]
    spelled = [f"'{then}' as '{now}'" for now, then in meant.items() if now != then]
    notes = [f"schools.csv spells '{name}' otherwise: {', '.join(spelled)}."] if spelled and not problems else []
    return problems, notes


class Record:
    """What the record states."""

    def __init__(self, path: Path) -> None:
        try:
            values = json.loads(path.read_bytes())
            if values["format"] != RECORD:
                raise UnreadableError(f"{path.name} is not a '{RECORD}'.")
            self.algorithm, self.drawn, self.seed = values["algorithm"], values["drawn"], values["seed"]
            self.frame_sha256, self.allocation_sha256 = values["frame_sha256"], values["allocation_sha256"]
            self.columns: list[str] = values["design"]["strata"]
            self.arms: list[str] = [arm["name"] for arm in values["design"]["arms"]]
            self.ratios: list[int] = [int(arm["ratio"]) for arm in values["design"]["arms"]]
            self.strata_of: dict[str, Key] = {s["school_id"]: tuple(s["strata"]) for s in values["schools"]}
            self.arm_of: dict[str, str] = {s["school_id"]: s["arm"] for s in values["schools"]}
        except OSError as error:
            raise UnreadableError(f"{path.name} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableError(f"{path.name} is not an allocation record ({error!r}).") from error

    def problems(self) -> list[str]:
        """Return what is wrong with the record itself."""
        schools = sorted(self.strata_of)
        found = []
        if table_hash(["school_id", *self.columns], [(s, *self.strata_of[s]) for s in schools]) != self.frame_sha256:
            found.append("The record's schools and strata do not have the hash that it states.")
        if table_hash(["school_id", "arm"], [(s, self.arm_of[s]) for s in schools]) != self.allocation_sha256:
            found.append("The record's arms do not have the hash that it states.")
        if self.drawn == "here" and self.algorithm != ALGORITHM:
            found.append(f"The record was drawn by '{self.algorithm}', this file knows '{ALGORITHM}'.")
        elif self.drawn == "here":
            drawn = draw(self.strata_of, self.arms, self.ratios, self.seed)
            other = [school for school in schools if drawn[school] != self.arm_of[school]]
            if other:
                found.append(f"Drawn again, {len(other)} schools get another arm, for instance {other[0]}.")
        return found


def check(record: Record, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return problems and notes of a record and the files beside it."""
    headers = dict(pair.split("=", 1) for pair in options.column)
    problems, notes = record.problems(), []
    file, schools = options.schools.name, sorted(record.strata_of)
    rows = read_table(options.schools, options.encoding)
    ids = column_of(rows, "school_id", headers, file)
    problems += compare_ids(schools, ids, file)
    for place, name in enumerate(record.columns):
        found = dict(zip(ids, column_of(rows, name, headers, file), strict=True))
        wrong, spelled = compare_strata(name, {s: record.strata_of[s][place] for s in schools}, found)
        problems += wrong
        notes += spelled
    if options.allocation:
        rows = read_table(options.allocation, options.encoding)
        ids = column_of(rows, "school_id", {}, options.allocation.name)
        problems += compare_ids(schools, ids, options.allocation.name)
        for school, arm in zip(ids, column_of(rows, "arm", {}, options.allocation.name), strict=True):
            if school in record.arm_of and arm != record.arm_of[school]:
                problems.append(f"{options.allocation.name} has school {school} in '{arm}', the record in another arm.")
    if record.drawn != "here":
        notes.append("The allocation was drawn elsewhere: the draw itself cannot be checked, the rest was.")
    return problems, notes


def main(arguments: Sequence[str]) -> int:
    """Run the check; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check an allocation without the toolkit that made it.")
    parser.add_argument("record", type=Path, help="record.json of the allocation")
    parser.add_argument("schools", type=Path, help="schools.csv, the sampling frame")
    parser.add_argument("--allocation", type=Path, help="allocation.csv, to compare it with the record")
    parser.add_argument("--column", action="append", default=[], metavar="NAME=HEADER", help="header of a column")
    parser.add_argument("--encoding", default="utf-8-sig", help="of the CSV files (default: UTF-8)")
    options = parser.parse_args(arguments)
    if any("=" not in pair for pair in options.column):
        parser.error("--column is stated as NAME=HEADER.")
    try:
        record = Record(options.record)
        problems, notes = check(record, options)
    except UnreadableError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    for line in [*problems, *notes]:
        sys.stdout.write(f"{line}\n")
    counts = ", ".join(f"{list(record.arm_of.values()).count(arm)} {arm}" for arm in record.arms)
    verdict = "NOT VERIFIED" if problems else "Verified" if record.drawn == "here" else "Consistent"
    sys.stdout.write(f"{verdict}: {len(record.arm_of)} schools ({counts}), seed '{record.seed}'.\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
