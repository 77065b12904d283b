"""A whole rehearsed inbox: every planted fault is found where it is, everything else comes back as it was."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from analysis.simulation import SimulatedCountry, SimulatedData, SimulatedTrial, simulate_pupils, simulate_schools
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.pseudonyms import pseudonymised
from data_schema.school_tables import standard_tables
from data_schema.store import Store, content_hash, write_store
from evaluation.rehearsal import FAULT_KINDS, INBOX_RULES, PlantedFault, Untidiness, inbox_files

TABLES = standard_tables()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What was simulated, what was planted, what intake made of it."""

    data: SimulatedData
    faults: tuple[PlantedFault, ...]
    files: dict[str, bytes]
    intake: Intake

    @property
    def planted_rows(self) -> set[tuple[str, str, int | None]]:
        """File, sheet and row of every row with a fault."""
        return {(fault.file, fault.sheet, row) for fault in self.faults for row in fault.rows}


@pytest.fixture(scope="module", params=[(1, 0.01), (2, 0.25)], ids=["a little dirt", "much dirt"])
def rehearsal(request: pytest.FixtureRequest) -> Rehearsal:
    seed, dirt = request.param
    slovenia = SimulatedCountry(code="SI", vocational=3, general=2)
    spec = SimulatedTrial(countries=(*SimulatedTrial.small().countries, slovenia), pupils_per_school=(20, 25))
    schools = simulate_schools(spec, seed=seed)
    arms = {school: ("pilot", "control")[row % 2] for row, school in enumerate(schools["school_id"])}
    data = simulate_pupils(spec, schools, arms, seed=seed)
    files, faults = inbox_files(data, seed=seed, untidiness=Untidiness(cells=dirt))
    intake = read_inbox(
        files,
        rules=[InboxRule(**rule) for rule in INBOX_RULES],  # type: ignore[arg-type]  # its keys are texts
        tables=TABLES,
        schools=dict(zip(schools["school_id"], schools["country"], strict=True)),
        waves=spec.waves,
    )
    return Rehearsal(data=data, faults=faults, files=files, intake=intake)


def test_every_kind_of_fault_was_planted(rehearsal: Rehearsal) -> None:
    assert {fault.kind for fault in rehearsal.faults} == set(FAULT_KINDS)


def test_every_fault_is_found_in_its_rows_and_its_column_with_its_value(rehearsal: Rehearsal) -> None:
    found = {
        (one.file, one.sheet, one.row, one.column): one for one in rehearsal.intake.findings.by_severity("question")
    }
    for fault in rehearsal.faults:
        for row in fault.rows:
            finding = found[(fault.file, fault.sheet, row, fault.column)]
            # The identifier of a pupil is not told.
            assert finding.value == ("" if fault.column == "pupil_id" else fault.value)
            assert finding.remedy


def test_nothing_else_is_asked_about_or_refused(rehearsal: Rehearsal) -> None:
    others = [
        str(finding)
        for finding in rehearsal.intake.findings
        if finding.severity != "note" and (finding.file, finding.sheet, finding.row) not in rehearsal.planted_rows
    ]
    assert others == []


def test_counts_add_up_to_what_was_sent(rehearsal: Rehearsal) -> None:
    table = rehearsal.intake.reconciliation
    assert (table["sent"] == table["kept"] + table["asked"] + table["refused"]).all()
    sent = table.groupby("table")["sent"].sum().to_dict()
    added = {"pupil": 1, "status": 3}
    assert sent == {name: len(rows) + added.get(name, 0) for name, rows in rehearsal.data.tables.items()}
    kept = {name: len(frame) for name, frame in rehearsal.intake.frames.items()}
    assert table.groupby("table")["kept"].sum().to_dict() == kept
    assert set(table["file"]) == set(rehearsal.files)


@pytest.mark.parametrize("name", ["pupil", "status", "signals", "survey", "implementation", "costs"])
def test_all_other_cells_come_back_as_they_were(rehearsal: Rehearsal, name: str) -> None:
    table, sent = TABLES[name], rehearsal.data.tables[name]
    keys = [*table.key, *(["wave"] if table.by_wave else [])]
    frame = rehearsal.intake.frames[name].set_index(keys).sort_index()
    true = sent.set_index(keys).sort_index()
    places = zip(frame["source_file"], frame["source_sheet"], frame["source_row"], strict=True)
    tidy = frame[[place not in rehearsal.planted_rows for place in places]]
    assert frame.index.isin(true.index).all()
    for column in table.names:
        if column in keys:
            continue
        mine, theirs = tidy[column], true.loc[tidy.index, column]
        same = mine.isna() & theirs.isna() | (mine == theirs).fillna(value=False).astype(bool)
        assert same.all(), tidy.loc[~same, [column, "source_file", "source_row"]]
    # Only the rows of faults that keep a row out are not there.
    out = {fault.kind: len(fault.rows) for fault in rehearsal.faults if fault.table == name}
    lost = out.get("school_without_zero", 0) + out.get("duplicated_pupil", 0) // 2
    assert len(frame) == len(true) - lost


def test_no_name_and_no_identifier_of_a_pupil_is_told_or_stored(
    rehearsal: Rehearsal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    intake, pupils = rehearsal.intake, rehearsal.data.tables["pupil"]
    frames, key_table = pseudonymised(intake.frames, key=bytes(32), tables=TABLES)
    path = tmp_path_factory.mktemp("store") / "trial.duckdb"
    write_store(
        path,
        frames=frames,
        imports=intake.reconciliation,
        repairs=intake.repairs,
        findings=intake.findings,
        facts={"content_sha256": content_hash(frames)},
    )
    private = {*pupils["name"], *pupils["pupil_id"]}
    told = intake.findings.to_frame().to_csv() + intake.repairs.to_csv()
    stored = path.read_bytes()
    assert len(private) > 500
    assert not [text for text in private if text in told]
    assert not [text for text in private if text.encode() in stored]
    with Store.open_read(path) as store:
        assert store.content_sha256() == store.facts()["content_sha256"]
        assert store.findings() == intake.findings
        for name, frame in frames.items():
            pd.testing.assert_frame_equal(store.table(name), frame)
    assert set(key_table["name"].dropna()) <= set(pupils["name"])
    assert set(frames["pupil"]["pupil_id"]) <= set(key_table["pseudonym"])
