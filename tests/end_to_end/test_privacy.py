"""Names of pupils stay where they were sent, a withdrawn consent empties the store, a country sees its own."""

from __future__ import annotations

import io
import json
import shutil
import traceback
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyreadstat
import pytest
from click.testing import CliRunner

from data_schema.errors import DataError, ProtocolError, StorageError
from data_schema.pseudonyms import decrypt_key_table, lock_identity
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.erasure import describe_retention
from evaluation.specifications import build_tables
from evaluation.trial import Trial
from tests.support.protocols import changed
from tests.support.trials import clock, drawn_trial, killed_at

NAME, WORD = "Zsófika Quvrwxő", "Quvrwx"
PASSPHRASE = " ".join(["five", "words", "are", "long", "enough"])


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trial = drawn_trial(tmp_path_factory.mktemp("privacy") / "trial")
    for file in sorted((trial.paths.inbox / "baseline" / "HU").glob("pupil_*.csv"))[:2]:
        _plant(file)
    trial.collect()
    return trial.paths.root


@pytest.fixture
def trial(collected: Path, tmp_path: Path) -> Trial:
    shutil.copytree(collected, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def _plant(file: Path) -> None:
    """Put a name where it belongs and into every cell where it does not."""
    text = file.read_bytes().decode("utf-8-sig" if file.read_bytes().startswith(b"\xef\xbb\xbf") else "cp1250")
    lines = text.splitlines()
    header = lines[0].split(";")
    for row, column in enumerate(header[1:], start=1):
        cells = lines[row].split(";")
        cells[header.index("name")] = NAME
        cells[header.index(column)] = NAME
        lines[row] = ";".join(cells)
    lines[0] += f";{NAME}"
    lines = [lines[0], *(f"{line};x" for line in lines[1:])]
    lines += [f"{NAME};;;;;;;;;;", f"Összesen: {NAME}"]
    file.write_bytes("\r\n".join([*lines, ""]).encode("utf-8-sig"))


def _everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all that a run wrote, also what is packed: files in archives, rows in databases."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or "inbox" in path.parts:
            continue
        content = path.read_bytes()
        yield path.name, content
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield from ((f"{path.name}/{name}", archive.read(name)) for name in archive.namelist())
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for schema, table in connection.execute(
                    "SELECT schema_name, table_name FROM duckdb_tables()"
                ).fetchall():
                    yield table, str(connection.table(f"{schema}.{table}").fetchall()).encode()
        if path.suffix == ".parquet":
            yield path.name, str(duckdb.read_parquet(str(path)).fetchall()).encode()


def test_no_byte_that_a_run_writes_or_prints_holds_a_planted_name(trial: Trial) -> None:
    runner = CliRunner()
    folder = str(trial.paths.root)
    printed = ""
    file = min((trial.paths.inbox / "baseline" / "HU").glob("pupil_*.csv")).relative_to(trial.paths.inbox).as_posix()
    for command in (
        ["collect", folder, "--all"], ["forms", folder, "--wave", "followup"], ["export", "HU", folder],
        ["codebook", folder], ["checks", folder, "--by-arm"], ["status", folder], ["freeze", "baseline", folder],
        ["withdraw", file, folder, "--reason", "a test"], ["withdraw", file, folder, "--restore", "--reason", "a test"],
        ["collect", folder, "--json"], ["erase", _pupil(trial)[2], folder], ["export", "HU", folder, "--json"],
    ):  # fmt: skip
        answer = runner.invoke(crocoos, command)
        assert answer.exit_code == 0, answer.output
        printed += answer.output
    _assert_nowhere(printed, trial.paths.root)
    # The same search finds it in what was sent, and the key table holds it behind its key.
    assert any(WORD.encode() in path.read_bytes() for path in trial.paths.inbox.rglob("*.csv"))
    identity = (trial.paths.private / "identity.txt").read_text()
    table = decrypt_key_table((trial.paths.private / "key_table.age").read_bytes(), identity)
    assert table["name"].str.contains(WORD, na=False).any()


def _assert_nowhere(printed: str, folder: Path) -> None:
    wanted = [WORD.encode(encoding) for encoding in ("utf-8", "utf-16-le")] + [WORD.upper().encode()]
    for name, content in [("printed", printed.encode()), *_everything(folder)]:
        assert not any(word in content for word in wanted), name


def _in_words(error: BaseException | None) -> str:
    return "" if error is None else "".join(traceback.format_exception(error))


def test_no_error_and_no_traceback_holds_a_planted_name(trial: Trial) -> None:
    folder = str(trial.paths.root)
    file = min((trial.paths.inbox / "baseline" / "HU").glob("pupil_*.csv"))
    trial.freeze(wave="baseline")
    file.write_bytes(file.read_bytes().replace(b";9;", b";10;"))
    failing = [["collect", folder], ["erase", NAME, folder], ["erase", NAME, folder, "--school", "031201"]]
    told = ""
    for command in [*failing, ["withdraw", "nothing.csv", folder, "--reason", NAME]]:
        answer = CliRunner().invoke(crocoos, command)
        assert answer.exception is not None
        told += answer.output + _in_words(answer.exception)
    trial.thaw(wave="baseline", reason="a test")
    (trial.paths.private / "recipient.txt").write_text("no recipient")
    answer = CliRunner().invoke(crocoos, ["collect", folder])
    assert isinstance(answer.exception, DataError)
    _assert_nowhere(told + answer.output + _in_words(answer.exception), trial.paths.root)


def test_a_run_that_is_killed_leaves_no_planted_name_in_its_unfinished_files(trial: Trial) -> None:
    for command, touches in ((trial.collect, (1, 4, 8, 16, 32)), (lambda: trial.export(country="HU"), (2, 9))):
        for touch in touches:
            killed_at(touch, command)
            _assert_nowhere("", trial.paths.root)


def _pupil(trial: Trial) -> tuple[str, str, str]:
    """Return school, identifier and pseudonym of a pupil who is in several tables."""
    identity = (trial.paths.private / "identity.txt").read_text()
    table = decrypt_key_table((trial.paths.private / "key_table.age").read_bytes(), identity)
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        known = set(store.table("status")["pupil_id"]) & set(store.table("pupil")["pupil_id"])
    row = table[table["pseudonym"].isin(known)].iloc[7]
    return str(row["school_id"]), str(row["pupil_id"]), str(row["pseudonym"])


@pytest.mark.parametrize("by_pseudonym", [True, False])
def test_an_erased_pupil_is_gone_stays_gone_and_is_counted(trial: Trial, *, by_pseudonym: bool) -> None:
    trial.export(country="HU")
    trial.forms(wave="followup")
    school, pupil, mark = _pupil(trial)
    before = trial.collect().returns
    arguments = [mark] if by_pseudonym else [pupil, "--school", school]
    answer = CliRunner().invoke(crocoos, ["erase", arguments[0], str(trial.paths.root), *arguments[1:], "--json"])
    assert answer.exit_code == 0, answer.output
    done = json.loads(answer.output)
    n_rows = sum(done["rows"].values())
    assert n_rows >= 2
    for _ in range(2):
        assert not any(mark.encode() in content for _, content in _everything(trial.paths.root))
        returns = trial.collect().returns
        assert returns["sent"].tolist() == before["sent"].tolist()
        assert (
            before["kept"].sum() - returns["kept"].sum() == n_rows == returns["refused"].sum() - before["refused"].sum()
        )
        assert (returns["sent"] == returns["kept"] + returns["asked"] + returns["refused"]).all()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        counted = json.loads(store.facts()["erased"])
        assert sum(len(store.table(name)) for name in store.tables) == returns["kept"].sum()
    assert sum(row["n"] for row in counted) == n_rows
    assert {row["school_id"] for row in counted} == {school}
    certificate = json.loads(Path(done["certificate"]).read_text(encoding="utf-8"))
    assert certificate["rows"] == done["rows"]
    assert "balance" not in certificate["to be run again"]
    assert done["removed"] == ["private/forms", "output/export"]
    assert all((trial.paths.inbox / name).exists() for name in done["inbox"])
    again = CliRunner().invoke(crocoos, ["erase", mark, str(trial.paths.root)])
    assert isinstance(again.exception, DataError)
    assert mark not in str(again.exception)


def test_an_erased_pupil_is_in_the_flow_of_pupils(trial: Trial) -> None:
    trial.impact()
    before = pd.read_csv(trial.paths.results / "flow.csv").groupby("step")["n_pupils"].sum()
    _, _, mark = _pupil(trial)
    trial.erase(pupil=mark)
    trial.impact()
    flow = pd.read_csv(trial.paths.results / "flow.csv")
    assert flow.loc[flow["reason"] == "consent withdrawn, data erased", "n_pupils"].tolist() == [1]
    after = flow.groupby("step")["n_pupils"].sum()
    assert after["baseline"] == before["baseline"] == after["outcome_missing"] + after["analysed"]


def test_a_damaged_list_of_erased_pupils_stops_everything(trial: Trial) -> None:
    (trial.paths.private / "erased.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        trial.collect()


def test_erasing_is_seen_by_status(trial: Trial) -> None:
    assert {status.stage: status.state for status in trial.status()}["collect"] == "fresh"
    (trial.paths.private / "erased.json").write_text('{"tombstones": ["x"]}')
    assert {status.stage: status.state for status in trial.status()}["collect"] == "stale"


def test_a_country_sees_its_own_data_only_with_labels(trial: Trial) -> None:
    made = trial.export(country="HU")
    schools = trial.schools()[0].set_index("school_id")["country"]
    for name in ("pupil", "status", "signals", "survey", "school", "costs"):
        frame = pd.read_csv(made.folder / f"{name}.csv", dtype={"school_id": str})
        assert len(frame) > 0
        assert set(schools[frame["school_id"]]) == {"HU"}
        parquet = duckdb.read_parquet(str(made.folder / f"{name}.parquet")).df()
        assert set(parquet["school_id"]) == set(frame["school_id"])
        assert "source_file" not in frame
    for kind, read in (("dta", pyreadstat.read_dta), ("sav", pyreadstat.read_sav)):
        frame, about = read(str(made.folder / f"status.{kind}"))
        assert about.variable_value_labels["status"][1.0] == "Enrolled"
        assert about.column_names_to_labels["average_mark"] == "Average mark"
        assert set(frame["status"].dropna()) <= {1.0, 2.0, 3.0, 4.0, 5.0}
        assert isinstance(frame["status_date"].dropna().iloc[0], date)
    rs_schools = [str(school).encode() for school, country in schools.items() if country == "RS"]
    for name, content in _everything(made.folder):
        assert not any(school in content for school in rs_schools), name
    with pytest.raises(ProtocolError, match="no country"):
        trial.export(country="XX")


def test_an_export_says_how_alike_its_pupils_are_and_is_coarsened_on_request(trial: Trial) -> None:
    runner, folder = CliRunner(), str(trial.paths.root)
    quasi = ["school_id", "class", "grade", "birth_year", "gender", "disadvantaged"]

    def smallest() -> int:
        frame = pd.read_csv(trial.paths.export / "HU" / "pupil.csv", dtype=str, keep_default_na=False)
        return int(frame.groupby(quasi).size().min())

    answer = runner.invoke(crocoos, ["export", "HU", folder, "--json"])
    assert json.loads(answer.output)["anonymity"]["k"] == smallest() == 1
    note = (trial.paths.export / "HU" / "README.md").read_text(encoding="utf-8")
    assert "**k = 1**" in note
    assert "`pupil.birth_year`" in note
    answer = runner.invoke(crocoos, ["export", "HU", folder, "--k", "5"])
    assert answer.exit_code == 0, answer.output
    note = (trial.paths.export / "HU" / "README.md").read_text(encoding="utf-8")
    assert smallest() >= 5
    assert f"**k = {smallest()}**" in note
    assert "because groups would be too small" in note
    assert duckdb.read_parquet(str(trial.paths.export / "HU" / "pupil.parquet")).df()["birth_year"].nunique() <= 3
    refused = runner.invoke(crocoos, ["export", "HU", folder, "--k", "1"])
    assert isinstance(refused.exception, ProtocolError)
    assert "--k" in str(refused.exception)


def test_an_export_is_without_pupils_whose_consent_is_refused(trial: Trial) -> None:
    file = min((trial.paths.inbox / "baseline" / "HU").glob("pupil_*.csv"))
    text = file.read_bytes().decode("utf-8-sig")
    assert text.count(";igen\r\n") + text.count(";igen;x\r\n") > 3
    lines = text.splitlines()
    at = lines[0].split(";").index("consent")
    for k in range(20, len(lines)):
        cells = lines[k].split(";")
        if len(cells) > at and cells[at] == "igen":
            cells[at] = "nem"
            lines[k] = ";".join(cells)
            break
    file.write_bytes("\r\n".join([*lines, ""]).encode("utf-8-sig"))
    before = pd.read_csv(trial.export(country="HU").folder / "pupil.csv")
    trial.collect()
    made = trial.export(country="HU")
    assert made.n_withheld >= 2
    after = pd.read_csv(made.folder / "pupil.csv")
    gone = set(before["pupil_id"]) - set(after["pupil_id"])
    assert len(gone) == 1
    for name in ("status", "signals", "survey"):
        assert not gone & set(pd.read_csv(made.folder / f"{name}.csv")["pupil_id"])
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        # The template's protocol keeps pupils who refuse out of everything, the store included.
        assert not gone & set(store.table("pupil")["pupil_id"])
    answer = CliRunner().invoke(crocoos, ["export", "HU", str(trial.paths.root)])
    assert "consent is refused" in answer.output


def test_nothing_is_exported_after_the_date_of_retention(trial: Trial) -> None:
    text = trial.paths.protocol.read_text(encoding="utf-8")
    assert 'retain_until = ""' in text
    text = text.replace('retain_until = ""', 'retain_until = "2027-08-31"')
    trial.paths.protocol.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="were to be kept until 2027-08-31"):
        Trial(trial.paths.root, clock=clock).export(country="HU")


def test_the_codebook_has_no_small_count(trial: Trial) -> None:
    made = trial.codebook()
    frame = pd.read_csv(made.folder / "codebook.csv")
    of_pupils = ~frame["table"].isin(["school", "implementation", "costs"])
    counts = frame.loc[of_pupils, "n"].dropna()
    assert len(counts) > 20
    of_schools = frame.loc[~of_pupils, "n"].dropna()
    assert not ((of_schools > 0) & (of_schools < 3)).any()
    assert not ((counts > 0) & (counts < trial.protocol.reports.disclosure_threshold)).any()
    schema = json.loads((made.folder / "status.schema.json").read_text(encoding="utf-8"))
    assert schema["primaryKey"] == ["school_id", "pupil_id", "wave"]


def test_a_locked_identity_is_another_text_each_time() -> None:
    assert lock_identity("AGE-SECRET-KEY-1X", PASSPHRASE) != lock_identity("AGE-SECRET-KEY-1X", PASSPHRASE)


def _with_religion(values: dict[str, object], *, basis: str) -> None:
    values["tables"] = {"pupil": {"fields": [{"name": "religion", "type": "text", "special": True}]}}
    values["privacy"] = {"legal_basis": basis}


def test_special_categories_are_off_without_a_legal_basis() -> None:
    without = changed(lambda values: _with_religion(values, basis=""))
    allowed = changed(lambda values: _with_religion(values, basis="Consent, Article 9 (2) a GDPR"))
    assert "religion" not in build_tables(without)["pupil"].names
    assert build_tables(allowed)["pupil"].field("religion").special


def test_the_date_of_retention_is_told() -> None:
    def note(day: str, today: date) -> str:
        return describe_retention(changed(lambda values: values.update(privacy={"retain_until": day})), today)

    assert note("", date(2030, 1, 1)) == ""
    assert note("2032-12-31", date(2030, 1, 1)) == "The data are kept until 2032-12-31."
    assert "9 days are left" in note("2030-01-10", date(2030, 1, 1))
    assert "delete inbox/" in note("2029-12-31", date(2030, 1, 1))
    with pytest.raises(ProtocolError, match="retain_until"):
        note("31.12.2032", date(2030, 1, 1))
