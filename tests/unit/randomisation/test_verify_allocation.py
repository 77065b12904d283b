"""The stand-alone verifier: run as a program on files, with nothing of the toolkit at hand."""

from __future__ import annotations

import ast
import csv
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import randomisation
from randomisation import AllocationRecord, Arm, Constraint, Design, adopt, allocate, allocation_hash
from randomisation import verify_allocation as module
from randomisation.within_schools import units_of_schools

PROGRAM = Path(module.__file__)
DESIGN = Design(arms=(Arm(name="control"), Arm(name="pilot", ratio=2)), strata=("country", "type"))
SCHOOLS = pd.DataFrame(
    {
        "school_id": [f"{n:03d}" for n in range(40)],
        "country": [("HU", "RS", "SI")[n % 3] for n in range(40)],
        "type": [("стручна", "općá")[n % 7 % 2] for n in range(40)],
        "pair": [float(n // 2) for n in range(40)],
    }
)
Change = Callable[[dict[str, object]], object]


def written(folder: Path, *, record: object = None, schools: pd.DataFrame = SCHOOLS, sep: str = ",") -> list[str]:
    allocation = allocate(SCHOOLS, DESIGN, seed="2027-03-01")
    values = AllocationRecord.of(allocation).to_dict() if record is None else record
    (folder / "record.json").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    schools.to_csv(folder / "schools.csv", index=False, sep=sep, encoding="utf-8-sig")
    allocation.to_frame().to_csv(folder / "allocation.csv", index=False)
    return [str(folder / "record.json"), str(folder / "schools.csv")]


def stated() -> dict[str, object]:
    return AllocationRecord.of(allocate(SCHOOLS, DESIGN, seed="2027-03-01")).to_dict()


def exchanged() -> dict[str, object]:
    """Return the record with the arms of two schools exchanged, and a hash to match."""
    record = stated()
    rows: list[dict[str, str]] = record["schools"]  # type: ignore[assignment]
    other = next(row for row in rows if row["arm"] != rows[0]["arm"])
    rows[0]["arm"], other["arm"] = other["arm"], rows[0]["arm"]
    return record | {"allocation_sha256": allocation_hash([row["school_id"] for row in rows], [r["arm"] for r in rows])}


def test_it_runs_as_a_program_without_the_toolkit(tmp_path: Path) -> None:
    files = written(tmp_path)
    # -I: neither this folder nor the environment's variables are looked at; -S: no installed packages either.
    program = [sys.executable, "-I", "-S", str(PROGRAM), *files, "--allocation", str(tmp_path / "allocation.csv")]
    done = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=False, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout == "Verified: 40 schools (13 control, 27 pilot), seed '2027-03-01'.\n"
    assert done.returncode == 0


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in modules} <= sys.stdlib_module_names


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_it_reads_what_spreadsheets_write(tmp_path: Path, sep: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(tmp_path, schools=SCHOOLS.iloc[::-1], sep=sep)
    assert module.main(files) == 0
    assert capsys.readouterr().out.startswith("Verified")


def test_two_schools_exchanged_in_the_record_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert module.main(written(tmp_path, record=exchanged())) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Drawn again, 2 schools get another arm, for instance ")
    assert last.startswith("NOT VERIFIED")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda record: record | {"seed": "2027-03-02"}, "schools get another arm"),
        (lambda record: record | {"frame_sha256": "0"}, "schools and strata do not have the hash"),
        (lambda record: record | {"allocation_sha256": "0"}, "arms do not have the hash"),
        (lambda record: record | {"algorithm": "dice"}, "drawn by 'dice', this file knows 'crocoos-stratified-1'"),
    ],
)
def test_a_record_that_was_changed_is_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Change, problem: str
) -> None:
    assert module.main(written(tmp_path, record=change(stated()))) == 1
    assert problem in capsys.readouterr().out


@pytest.mark.parametrize(
    ("schools", "problem"),
    [
        (SCHOOLS.iloc[1:], "schools.csv lacks 1 of the record's schools, for instance 000"),
        (SCHOOLS.replace("000", "0"), "schools.csv has 1 schools that the record does not have, for instance 0."),
        (pd.concat([SCHOOLS, SCHOOLS.iloc[:1]]), "names a school twice"),
        (SCHOOLS.assign(country=["RS", *SCHOOLS["country"][1:]]), "'country' is 'RS', but was '"),
    ],
)
def test_a_frame_that_changed_is_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], schools: pd.DataFrame, problem: str
) -> None:
    assert module.main(written(tmp_path, schools=schools)) == 1
    assert problem in capsys.readouterr().out


def test_other_spellings_of_strata_and_headers_are_noted_not_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spelled = SCHOOLS.rename(columns={"school_id": "Škola", "type": "Típus"}).replace("HU", "Hungary")
    files = written(tmp_path, schools=spelled)
    assert module.main([*files, "--column", "school_id=Škola", "--column", "type=Típus"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "schools.csv spells 'country' otherwise: 'HU' as 'Hungary'."


def test_numbers_may_have_decimals_in_the_file(tmp_path: Path) -> None:
    design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("pair",))
    record = AllocationRecord.of(allocate(SCHOOLS, design, seed="1")).to_dict()
    assert module.main(written(tmp_path, record=record)) == 0


def test_an_allocation_table_changed_by_hand_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(tmp_path)
    table = tmp_path / "allocation.csv"
    rows = list(csv.reader(table.read_text(encoding="utf-8").splitlines()))
    rows[1][2] = "control" if rows[1][2] == "pilot" else "pilot"
    table.write_text("\n".join(",".join(row) for row in [*rows, ["999", "x", "pilot"]]), encoding="utf-8")
    assert module.main([*files, "--allocation", str(table)]) == 1
    out = capsys.readouterr().out
    assert f"allocation.csv has school 000 in '{rows[1][2]}', the record in another arm." in out
    assert "allocation.csv has 1 schools that the record does not have, for instance 999." in out


def test_a_draw_made_elsewhere_is_called_consistent_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = dict(zip(SCHOOLS["school_id"], ["control", "pilot"] * 20, strict=True))
    files = written(tmp_path, record=AllocationRecord.of(adopt(SCHOOLS, DESIGN, arms=arms)).to_dict())
    assert module.main(files) == 0
    note, verdict = capsys.readouterr().out.splitlines()
    assert "the draw itself cannot be checked" in note
    assert verdict.startswith("Consistent: 40 schools")


def test_files_that_cannot_be_read_end_with_two_and_their_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, schools = written(tmp_path)
    cases = [
        ([str(tmp_path / "none.json"), schools], "none.json cannot be read"),
        ([record, str(tmp_path / "none.csv")], "none.csv cannot be read"),
        ([schools, schools], "schools.csv is not an allocation record"),
        ([record, schools, "--encoding", "utf-16"], "is not in the encoding utf-16"),
        ([record, schools, "--encoding", "klingon"], "is not in the encoding klingon"),
        ([record, schools, "--column", "type=Kind"], "schools.csv has no column 'Kind' (it has: school_id, country"),
    ]
    for arguments, problem in cases:
        assert module.main(arguments) == 2
        assert problem in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "school_id,country,type\n"])
def test_an_empty_frame_ends_with_two(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    record, schools = written(tmp_path)
    Path(schools).write_text(content, encoding="utf-8")
    assert module.main([record, schools]) == 2
    assert "schools.csv has no column 'school_id' (it has: none)" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"format": "x"}, {"design": {}}, {"schools": [1]}])
def test_a_json_file_that_is_no_record_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    assert module.main(written(tmp_path, record=stated() | change)) == 2
    assert "record.json is not a" in capsys.readouterr().out


def test_a_column_option_without_a_header_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        module.main([*written(tmp_path), "--column", "type"])
    assert "NAME=HEADER" in capsys.readouterr().err


def test_words_of_the_incomplete_last_run_are_left_out() -> None:
    class Given(module.Stream):
        def word(self) -> int:
            return words.pop(0)

    words = [2**64 - 1, 2**64 - 2, 7]
    assert Given("any").number(1) == 0
    # 2**64 is one more than a multiple of 3: the largest word alone is left out.
    assert Given("any").number(3) == 2
    assert words == [7]


def test_started_as_a_program_it_ends_with_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), *written(tmp_path, record=exchanged())])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    assert caught.value.code == 1


@pytest.mark.slow
def test_it_agrees_on_20000_schools_in_6000_strata() -> None:
    n = 20_000
    frame = pd.DataFrame(
        {
            "school_id": [f"{k:06d}" for k in range(n)],
            "country": [f"{k % 7}" for k in range(n)],
            "block": [f"{k % 6151}" for k in range(n)],
        }
    )
    design = Design(arms=(Arm(name="a"), Arm(name="b", ratio=2), Arm(name="c")), strata=("country", "block"))
    allocation = allocate(frame, design, seed="large")
    strata_of = dict(zip(allocation.schools, allocation.stratum_values, strict=True))
    assert module.draw_from(module.Stream("large"), strata_of, design.names, design.ratios) == dict(allocation.arm_of)


def test_the_program_lies_beside_the_published_text() -> None:
    assert (Path(randomisation.__file__).parent / "ALGORITHM.md").is_file()


def test_a_variable_that_changed_in_the_frame_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = SCHOOLS.assign(size=range(40))
    design = Design(arms=DESIGN.arms, strata=("country",), constraint=Constraint(variables=("size",), best_share=0.5))
    record = AllocationRecord.of(allocate(frame, design, seed="1")).to_dict()
    assert module.main(written(tmp_path, record=record, schools=frame)) == 0
    assert module.main(written(tmp_path, record=record, schools=frame.assign(size=[99, *range(1, 40)]))) == 1
    assert "School 000: 'size' is '99', but was '0' at the draw." in capsys.readouterr().out


def test_a_limit_that_no_draw_keeps_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = SCHOOLS.iloc[:8].assign(size=[1, 2, 4, 8, 16, 32, 64, 128])
    design = Design(arms=(Arm(name="a"), Arm(name="b")), constraint=Constraint(variables=("size",), best_share=0.5))
    record = AllocationRecord.of(allocate(frame, design, seed="1")).to_dict() | {"score_limit": "-1"}
    monkeypatch.setattr(module, "MOST_TRIES", 20)
    assert module.main(written(tmp_path, record=record, schools=frame)) == 1


def test_a_class_that_is_no_number_in_the_file_is_a_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = SCHOOLS.assign(size=range(40))
    design = Design(arms=(Arm(name="a"), Arm(name="b")), strata=("size",), cuts=(("size", (20,)),))
    record = AllocationRecord.of(allocate(frame, design, seed="1")).to_dict()
    files = written(tmp_path, record=record, schools=frame.assign(size=["few", *map(str, range(1, 40))]))
    assert module.main(files) == 1
    assert "'size' is 'few', but was 'a: below 20'" in capsys.readouterr().out


def test_a_simple_draw_that_leaves_an_arm_empty_is_made_again(tmp_path: Path) -> None:
    frame = SCHOOLS.iloc[:2]
    design = Design(arms=(Arm(name="a"), Arm(name="b")), kind="simple")
    for seed in range(8):
        record = AllocationRecord.of(allocate(frame, design, seed=f"{seed}")).to_dict()
        assert module.main(written(tmp_path, record=record, schools=frame)) == 0


def test_classes_drawn_within_schools_are_verified_with_the_list_of_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classes = pd.DataFrame({"school_id": ["05"] * 3 + ["06"] * 3 + ["07"] * 2, "class": list("abcabcab")})
    countries = pd.DataFrame({"ID": ["05", "06", "07"], "country": ["HU", "HU", "SI"]})
    units = units_of_schools(classes, unit="class")
    design = Design(arms=(*DESIGN.arms[:1], Arm(name="pilot")), strata=("school",))
    record = AllocationRecord.of(allocate(units, design, seed="1")).to_dict()
    files = written(tmp_path, record=record, schools=countries)
    for name, table in (("classes.csv", classes), ("fewer.csv", classes.iloc[1:])):
        table.to_csv(tmp_path / name, index=False)
    more = ["--column", "school_id=ID", "--units"]
    assert module.main([*files, *more, str(tmp_path / "classes.csv")]) == 0
    assert "8 schools (4 control, 4 pilot)" in capsys.readouterr().out
    assert module.main([*files, *more, str(tmp_path / "fewer.csv")]) == 1
    assert "05 / a" in capsys.readouterr().out


@pytest.mark.parametrize("fraction", ["0.5", "1e3", "NaN", "Infinity"])
def test_a_record_with_a_fraction_is_none(tmp_path: Path, fraction: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(tmp_path)
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert '"ratio": 2' in text
    (tmp_path / "record.json").write_text(text.replace('"ratio": 2', f'"ratio": {fraction}'), encoding="utf-8")
    assert module.main(files) == 2
    assert f"{fraction} is not a whole number" in capsys.readouterr().out
