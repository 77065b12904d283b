"""`crocoos propose` drafts rules for files of any layout; pasted into the protocol, they read the files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook

from data_schema.errors import DataError, ProtocolError
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.bad_files import zipped
from tests.support.tiny import PROTOCOL, plain_files, pupil_ids, school_ids, tiny_trial

FIRST, SECOND, THIRD = school_ids()[:3]
NAMES = ("Nemanja Brezovar", "Tjaša Kovačič", "Luka Zupančič")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(crocoos, list(arguments))


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def trial_with(folder: Path, files: Mapping[str, bytes]) -> Trial:
    trial = tiny_trial(folder / "trial", protocol=PROTOCOL, files={})
    for name, content in files.items():
        path = trial.paths.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return trial


def pasted(trial: Trial, **more: str) -> Trial:
    """Put the drafted rules into the protocol, as a person does, with what was left to say."""
    answer = json.loads(run("propose", str(trial.paths.inbox), str(trial.paths.root), "--json").output)
    rules = "\n\n".join(draft["toml"] for draft in answer["drafts"])
    for old, new in more.items():
        rules = rules.replace(f"{old} = ", new, 1)
    path = trial.paths.root / "trial.toml"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{rules}\n", encoding="utf-8")
    return Trial(trial.paths.root, clock=trial.clock)


def table(trial: Trial, name: str) -> list[list[object]]:
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        frame = store.table(name)
    return sorted([str(a), str(b)] for a, b in frame[["school_id", "source_file"]].drop_duplicates().to_numpy())


def list_of(school: str, *above: Sequence[object], with_class: bool = False) -> list[list[object]]:
    rows: list[list[object]] = [*map(list, above), ["pupil_id", "ime i prezime", "pol", "saglasnost"]]
    for place, pupil in enumerate(pupil_ids(school)):
        rows += [[f"IX-{1 + place // 6}"]] if with_class and place % 6 == 0 else []
        rows.append([pupil, NAMES[place % 3], ("ž", "m")[place % 2], "da"])
    return rows


LAYOUTS: Mapping[str, Mapping[str, bytes]] = {
    "files that are named for their schools": {
        f"before/lists/{school}.xlsx": workbook({"List1": list_of(school)}) for school in (FIRST, SECOND, THIRD)
    },
    "titles that name the school, and classes as headings": {
        "before/one.xlsx": workbook({"List1": list_of(FIRST, [f"School {FIRST} – 9. razred"], [], with_class=True)}),
        "before/two.xlsx": workbook({"List1": list_of(SECOND, [f"SCHOOL {SECOND}, 2027/2028"], [], with_class=True)}),
    },
    "a sheet for each school": {
        "before/all.xlsx": workbook({school: list_of(school) for school in (FIRST, SECOND)} | {"Cover": [["Nothing"]]})
    },
    "a folder for each school": {f"before/{FIRST}/a/list.xlsx": workbook({"List1": list_of(FIRST)})},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_drafted_rules_are_accepted_and_read_the_files(tmp_path: Path, name: str) -> None:
    files = LAYOUTS[name]
    trial = pasted(trial_with(tmp_path, files))
    assert run("plan", str(trial.paths.root)).exit_code == 0
    trial.collect()
    schools = {
        school
        for school in (FIRST, SECOND, THIRD)
        if any(school.encode() in c or school in f for f, c in files.items())
    }
    read = table(trial, "pupil")
    assert {school for school, _ in read} >= (schools or {FIRST, SECOND})
    assert {file for _, file in read} == set(files)
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        n_rows = len(store.table("pupil"))
    assert n_rows == 12 * len({school for school, _ in read})


def test_months_as_columns_are_drafted_and_read(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [f"School {FIRST}"], [None, "oktober 2027", None, "november 2027", None],
        ["pupil_id", "absences_justified", "lateness", "absences_justified", "lateness"],
        *([pupil, 1, 2, 3, 4] for pupil in pupil_ids(FIRST)), ["Skupaj", 12, 24, 36, 48],
    ]  # fmt: skip
    trial = pasted(trial_with(tmp_path, {"after/absences.xlsx": workbook({"List1": rows})}))
    text = (trial.paths.root / "trial.toml").read_text(encoding="utf-8")
    assert 'wide = { across = "month" }' in text
    assert 'school_from = "title"' in text
    assert run("plan", str(trial.paths.root)).exit_code == 0
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        frame = store.table("signals")
    assert frame.groupby("month")[["absences_justified", "lateness"]].sum().to_numpy().tolist() == [[12, 24], [36, 48]]


def test_waves_as_columns_are_drafted_and_read(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [None, None, "before", None, "after", None],
        ["school_id", "pupil_id", "status", "average_mark", "status", "average_mark"],
        *([FIRST, pupil, "enrolled", 3, "enrolled", 4 + place % 2] for place, pupil in enumerate(pupil_ids(FIRST))),
    ]
    trial = pasted(trial_with(tmp_path, {"marks.xlsx": workbook({"List1": rows})}))
    assert run("plan", str(trial.paths.root)).exit_code == 0
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        frame = store.table("status")
    assert frame.groupby("wave")["average_mark"].sum().to_dict() == {"after": 54, "before": 36}


def test_what_nothing_tells_is_left_to_a_person_and_works_when_it_is_said(tmp_path: Path) -> None:
    rows: list[list[object]] = [["school_id", "pupil_id", "oktober", "november"], [FIRST, pupil_ids(FIRST)[0], 3, 4]]
    trial = trial_with(tmp_path, {"after/x.xlsx": workbook({"List1": rows})})
    answer = run("propose", str(trial.paths.inbox / "after" / "x.xlsx"), str(trial.paths.root)).output
    assert "# Undecided: Nothing tells the year of months: 'oktober', 'november'." in answer
    assert "# Undecided: Nothing tells which field the cells are of." in answer
    assert "# Rows: 1 sent, 0 kept, 1 asked, 0 refused" in answer
    trial = pasted(trial, across='school_year = 2027, field = "lateness", across = ')
    assert run("plan", str(trial.paths.root)).exit_code == 0
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        told = store.table("signals")[["month", "lateness"]].to_numpy().tolist()
    assert told == [["2027-10", 3], ["2027-11", 4]]


def test_a_wave_that_nothing_tells_is_refused_by_plan_until_it_is_said(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, {f"{FIRST}.xlsx": workbook({"List1": list_of(FIRST)})})
    answer = run("propose", str(trial.paths.inbox), str(trial.paths.root)).output
    assert (
        '# Undecided: Nothing tells which wave it is of. Add wave to the rule: one of "before", "after"; it' in answer
    )
    assert "# Rows: 12 sent, 12 kept, 0 asked, 0 refused" in answer
    with pytest.raises(ProtocolError, match="key 'wave'"):
        pasted(trial)


def test_it_says_the_same_each_time_changes_nothing_and_names_nobody(tmp_path: Path) -> None:
    files = {
        **LAYOUTS["files that are named for their schools"],
        f"before/{NAMES[1]} {FIRST}.xlsx": workbook({"List1": list_of(FIRST)}),
        "before/notes.docx": b"PK nothing",
        "before/empty.csv": b"",
    }
    trial = trial_with(tmp_path, files)
    before = {path: path.read_bytes() for path in sorted(trial.paths.root.rglob("*")) if path.is_file()}
    first, second = (run("propose", str(trial.paths.inbox), str(trial.paths.root)).output for _ in range(2))
    as_json = run("propose", str(trial.paths.inbox), str(trial.paths.root), "--json").output
    assert first == second
    assert {path: path.read_bytes() for path in sorted(trial.paths.root.rglob("*")) if path.is_file()} == before
    for name in NAMES:
        for word in name.split():
            assert word not in first
            assert word not in as_json
    assert all(pupil not in first for pupil in pupil_ids(FIRST))
    assert "No rule is drafted for:" in first


def test_files_alike_have_one_rule(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, LAYOUTS["files that are named for their schools"])
    answer = run("propose", str(trial.paths.inbox), str(trial.paths.root)).output
    assert answer.count("[[inbox]]") == 1
    assert 'pattern = "before/lists/SI-*.xlsx"' in answer


def test_a_column_that_only_looks_like_identifiers_is_to_be_checked(tmp_path: Path) -> None:
    rows = [["Koda X", "pol", "consent"], *([pupil, "m", "da"] for pupil in pupil_ids(FIRST))]
    trial = trial_with(tmp_path, {f"before/{FIRST}.xlsx": workbook({"List1": rows})})
    answer = run("propose", str(trial.paths.inbox), str(trial.paths.root)).output
    assert 'headers = { "Koda X" = "pupil_id" }' in answer
    assert "# Undecided: Check that the column 'Koda X' is 'pupil_id'" in answer


def test_files_elsewhere_are_named_as_if_they_lay_in_the_inbox(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial", files=plain_files())
    outside = tmp_path / "post"
    (outside / "before").mkdir(parents=True)
    (outside / "before" / f"list {FIRST}.xlsx").write_bytes(workbook({"List1": list_of(FIRST)}))
    answer = run("propose", str(outside), str(trial.paths.root)).output
    assert f'pattern = "before/list {FIRST}.xlsx"' in answer
    missing = run("propose", str(tmp_path / "nothing"), str(trial.paths.root))
    assert isinstance(missing.exception, DataError)
    assert missing.exception.remedy == "Name a file or a folder that is there."


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (None, "schools.csv: there is no such file."),
        ("school_id,name\nSI-01,School\n", "It has no column 'country'"),
        (f"school_id,name,country\n{FIRST},School {FIRST},SI\nSI-99,X,\n", "1 schools of it are known"),
    ],
)
def test_rules_are_drafted_before_the_frame_is_there_or_whole(tmp_path: Path, frame: str | None, said: str) -> None:
    rows = [["school_id", "pupil_id", "spol", "consent"], *([FIRST, pupil, "m", "da"] for pupil in pupil_ids(FIRST))]
    trial = trial_with(tmp_path, {"before/all.xlsx": workbook({"List1": rows}), **LAYOUTS["a folder for each school"]})
    path = trial.paths.root / "schools.csv"
    if frame is None:
        path.unlink()
    else:
        path.write_text(frame, encoding="utf-8")
    answer = run("propose", str(trial.paths.inbox), str(trial.paths.root))
    assert answer.exit_code == 0
    assert "# The sampling frame is not there yet or not complete" in answer.output
    assert said in answer.output
    assert 'pattern = "before/all.xlsx"' in answer.output
    assert "# Rows: 12 sent, 12 kept, 0 asked, 0 refused" in answer.output
    assert f'pattern = "before/{FIRST}/a/list.xlsx"' in answer.output


def test_a_shortened_name_of_a_school_is_suggested_and_never_taken_for_sure(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, {"before/OŠ Prežihov.xlsx": workbook({"List1": list_of(SECOND)})})
    path = trial.paths.root / "schools.csv"
    text = path.read_text(encoding="utf-8").replace(f"School {SECOND}", "Osnovna šola Prežihov Voranc")
    path.write_text(text, encoding="utf-8")
    answer = run("propose", str(trial.paths.inbox), str(trial.paths.root)).output
    assert f"# Undecided: It may be of {SECOND!r} (Osnovna šola Prežihov Voranc)" in answer
    assert "# Rows: 12 sent, 0 kept, 12 asked, 0 refused" in answer
    assert f"Is {SECOND!r} meant? Answer with the identifier of the school." in answer


def test_files_of_a_zipped_folder_are_looked_at_and_their_rule_reads_them(tmp_path: Path) -> None:
    inside = {f"{school}.xlsx": workbook({"List1": list_of(school)}) for school in (FIRST, SECOND)}
    packed = zipped({**inside, "within.zip": zipped({"a.csv": b"a;b"}), "notes.txt": b"nothing"})
    trial = pasted(trial_with(tmp_path, {"before/lists.zip": packed}))
    answer = run("propose", str(trial.paths.inbox), str(trial.paths.root)).output
    assert 'pattern = "before/SI-*.xlsx"' in answer
    assert "lists.zip/within.zip: It is a zipped folder within a zipped folder. Unpack it" in answer
    trial.collect()
    assert [school for school, _ in table(trial, "pupil")] == [FIRST, SECOND]


def test_a_zipped_folder_that_would_fill_the_memory_is_not_opened(tmp_path: Path) -> None:
    bomb = zipped({f"{at}.csv": b"a;b\n" * 8_000_000 for at in range(2)})
    trial = trial_with(tmp_path, {"before/bomb.zip": bomb})
    answer = run("propose", str(trial.paths.inbox), str(trial.paths.root))
    assert answer.exit_code == 0
    assert "before/bomb.zip" in answer.output
    assert "[[inbox]]" not in answer.output
