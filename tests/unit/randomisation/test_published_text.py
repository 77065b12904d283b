"""ALGORITHM.md and README.md say what the code does."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

import randomisation
from randomisation import ALGORITHM, AllocationRecord, Arm, Commitment, Design, allocate
from randomisation.canonical import format_canonical_json
from randomisation.stream import open_published_stream

FOLDER = Path(randomisation.__file__).parent
TEXT = (FOLDER / "ALGORITHM.md").read_text(encoding="utf-8")
ROWS = [tuple(row) for row in re.findall(r"^\| (\d\d) \| (\w+) \| (\w+) \| (\w+) \|$", TEXT, re.MULTILINE)]
SCHOOLS = pd.DataFrame([row[:3] for row in ROWS], columns=["school_id", "country", "type"])
SEED = "2027-03-01"


def test_the_text_names_the_algorithm() -> None:
    assert TEXT.startswith(f"# The allocation algorithm `{ALGORITHM}`\n")


def test_the_printed_example_is_what_is_drawn() -> None:
    design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country", "type"))
    allocation = allocate(SCHOOLS, design, seed=SEED)
    assert len(ROWS) == 10
    assert list(allocation.arms) == [row[3] for row in ROWS]
    record = AllocationRecord.of(allocation)
    assert f"`frame_sha256`: `{record.frame_sha256}`" in TEXT
    assert f"`allocation_sha256`: `{record.allocation_sha256}`" in TEXT


def test_the_printed_design_and_its_commitment_have_these_hashes() -> None:
    made = Commitment.of(SCHOOLS, Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country", "type")))
    flat = " ".join(TEXT.split())
    assert format_canonical_json(made.design.to_dict()) in flat.replace(
        '"kind":"stratified",` `"', '"kind":"stratified","'
    )
    assert f"`design_sha256` is `{made.design.sha256}`" in flat
    assert f"commitment's hash is `{made.sha256}`" in flat


def test_the_printed_example_of_three_arms_is_what_is_drawn() -> None:
    arms = (Arm(name="control", ratio=2), Arm(name="light"), Arm(name="full"))
    allocation = allocate(SCHOOLS, Design(arms=arms, strata=("country", "type")), seed=SEED)
    flat = " ".join(TEXT.split())
    assert f"in this order, {', '.join(allocation.arms)};" in flat
    assert f"`{AllocationRecord.of(allocation).allocation_sha256}`" in flat


def test_the_printed_random_numbers_are_those_of_the_stream() -> None:
    block = hashlib.sha256("\n".join([ALGORITHM, SEED, "0"]).encode()).hexdigest()
    assert f"`{block}`" in TEXT
    stream = open_published_stream(SEED)
    assert f": {', '.join(str(stream.below(10)) for _ in range(12))}\n" in TEXT


def test_the_readme_runs_and_prints_what_it_says() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    said = []
    for line in "".join(blocks).splitlines():
        code, _, comment = line.partition("  # ")
        if comment.strip().startswith(("{", "60")):
            said.append((code.strip(), comment.strip()))
    exec("".join(blocks), names)  # noqa: S102 (our own README)
    assert len(said) == 2
    for code, comment in said:
        assert repr(eval(code, names)) == comment  # noqa: S307 (our own README)


def test_everything_exported_is_there_and_documented() -> None:
    for name in randomisation.__all__:
        assert getattr(randomisation, name).__doc__ or isinstance(getattr(randomisation, name), str)


@pytest.mark.parametrize("name", ["ALGORITHM.md", "README.md"])
def test_texts_have_lines_that_fit_a_screen(name: str) -> None:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 150] == []
