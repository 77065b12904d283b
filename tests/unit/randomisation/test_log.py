"""The hash-chained log: any change shows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from data_schema.errors import DesignError
from randomisation import LogEntry, append, verify_log


def log() -> tuple[LogEntry, ...]:
    entries: tuple[LogEntry, ...] = ()
    for hour, event in enumerate(["drawn", "verified", "drawn"], start=10):
        entries = append(entries, event=event, detail={"seed": "ő"}, time=f"2027-03-01T{hour}:00:00+00:00")
    return entries


def test_a_log_that_was_only_added_to_is_whole() -> None:
    assert verify_log(log()) == ()
    assert verify_log(()) == ()
    assert [entry.sequence for entry in log()] == [1, 2, 3]


def test_adding_keeps_the_entries_before() -> None:
    assert append(log(), event="verified", detail={}, time="later")[:3] == log()


@pytest.mark.parametrize("field", ["time", "event", "sha256", "previous_sha256"])
def test_a_changed_text_is_found(field: str) -> None:
    first, second, third = log()
    changed = replace(second, **{field: "x"})  # type: ignore[arg-type]
    assert verify_log((first, changed, third))


def test_a_changed_detail_is_found_where_it_is() -> None:
    first, second, third = log()
    assert verify_log((first, replace(second, detail={"seed": "o"}), third)) == (
        "Entry 2 ('verified') was changed after it was written.",
    )


def test_a_changed_entry_with_a_new_hash_does_not_fit_the_next() -> None:
    first, second, third = log()
    forged = replace(second, event="drawn")
    forged = replace(forged, sha256=forged.expected_sha256())
    assert verify_log((first, forged, third)) == ("Entry 3 does not follow on the entry before it.",)


def test_an_entry_taken_out_is_found() -> None:
    first, _, third = log()
    assert verify_log((first, third)) == (
        "Entry 2 is numbered 3: an entry was taken out, put in or moved.",
        "Entry 2 does not follow on the entry before it.",
    )


def test_entries_cut_off_at_the_end_show_when_the_last_hash_was_published() -> None:
    assert verify_log(log(), last_sha256=log()[-1].sha256) == ()
    assert verify_log(log()[:2]) == ()
    assert verify_log(log()[:2], last_sha256=log()[-1].sha256) == (
        "The log does not end with the entry that was published as its last.",
    )


def test_entries_survive_json_lines() -> None:
    lines = [entry.to_json_line() for entry in log()]
    assert not any("\n" in line for line in lines)
    assert tuple(LogEntry.from_json_line(line) for line in lines) == log()


def test_the_hash_is_that_of_sorted_json_without_spaces() -> None:
    import hashlib

    values = json.loads(log()[0].to_json_line())
    stated = values.pop("sha256")
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode("ascii")).hexdigest() == stated


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
        (log()[0].to_json_line().replace('"drawn"', "3"), "not text"),
        (log()[0].to_json_line().replace('{"seed":"\\u0151"}', "[]"), "not text"),
        (log()[0].to_json_line().replace('"\\u0151"', "7"), "not text"),
        (log()[0].to_json_line().replace('"sequence":1', '"sequence":"1"'), "not numbered"),
        (log()[0].to_json_line().replace(":", ": "), "not written as entries are"),
    ],
)
def test_a_line_that_is_no_entry_is_refused(line: str, problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        LogEntry.from_json_line(line)
