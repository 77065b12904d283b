"""The corpus of bad files: what each becomes, and that nothing in it is lost."""

from __future__ import annotations

import pytest

from data_schema.findings import Severity
from tests.support.bad_file_cases import BAD_FILES
from tests.support.bad_files import BadFile, taken_in
from tests.support.more_bad_files import MORE_BAD_FILES

EVERY_BAD_FILE = (*BAD_FILES, *MORE_BAD_FILES)


def test_the_corpus_is_of_a_hundred_and_twenty_files_at_least_with_names_of_their_own() -> None:
    assert len(EVERY_BAD_FILE) >= 120
    assert len({bad.name for bad in EVERY_BAD_FILE}) == len(EVERY_BAD_FILE)


@pytest.mark.parametrize("bad", EVERY_BAD_FILE, ids=lambda bad: bad.name)
def test_a_bad_file_becomes_what_the_corpus_says(bad: BadFile) -> None:
    intake = taken_in(bad)
    mine = intake.reconciliation[intake.reconciliation["file"].str.startswith(bad.path)]
    assert mine[["kept", "asked", "refused"]].sum().tolist() == [bad.kept, bad.asked, bad.refused]
    repairs = intake.repairs[intake.repairs["file"].str.startswith(bad.path)]
    assert set(repairs[["column", "became", "rule"]].itertuples(index=False, name=None)) == bad.repairs
    kept = [frame[frame["source_file"] == bad.path] for frame in intake.frames.values()]
    for name, value in bad.cells.items():
        assert [frame[name].iloc[0] for frame in kept if len(frame)] == [value]
    expected: dict[Severity, tuple[str, ...]] = {
        "question": bad.questions,
        "refused": bad.refusals,
        "note": bad.notes,
    }
    for severity, passages in expected.items():
        found = [one for one in intake.findings.by_severity(severity) if one.file.startswith(bad.path)]
        assert len(found) == len(passages), [str(one) for one in found]
        for passage in passages:
            assert any(passage in one.problem for one in found), (passage, [str(one) for one in found])
        assert all(one.remedy for one in found)
