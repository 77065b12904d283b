"""Pseudonyms and the key table."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pandas as pd
import pytest

from data_schema.errors import DataError
from data_schema.fields import Field
from data_schema.pseudonyms import (
    decrypt_key_table,
    encrypt_key_table,
    lock_identity,
    mark_of_file,
    new_identity,
    parse_recipient,
    pseudonym,
    pseudonymised,
    unlock_identity,
)
from data_schema.school_tables import standard_tables
from data_schema.tables import Table, extended

KEY = bytes(range(32))
TABLES = standard_tables()


def test_a_pseudonym_is_the_keyed_hash_that_is_documented() -> None:
    digest = hmac.new(KEY, b"6:RS-101:001/27", hashlib.sha256).digest()
    expected = "p" + base64.b32encode(digest).decode().lower()[:20]
    assert pseudonym("001/27", key=KEY, scope="RS-101") == expected
    assert re.fullmatch("p[a-z2-7]{20}", expected)


def test_a_pseudonym_depends_on_the_identifier_the_school_and_the_key() -> None:
    made = {
        pseudonym("1", key=KEY, scope="A"),
        pseudonym("01", key=KEY, scope="A"),
        pseudonym("1", key=KEY, scope="B"),
        pseudonym("1", key=KEY[::-1], scope="A"),
        pseudonym(":1", key=KEY, scope=""),
        pseudonym("1", key=KEY, scope=":"),
    }
    assert len(made) == 6


def test_a_short_key_is_refused() -> None:
    with pytest.raises(DataError, match="15 bytes"):
        pseudonym("1", key=KEY[:15], scope="A")


def pupils() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "school_id": ["A", "B", "A"],
            "pupil_id": ["1", "1", "2"],
            "name": ["Kiss Anna", "Novak Eva", None],
            "wave": ["baseline"] * 3,
            "source_row": [2, 3, 4],
        },
        index=[5, 6, 7],
    )


def test_identifiers_become_pseudonyms_and_names_go_to_the_key_table_only() -> None:
    status = pd.DataFrame({"school_id": ["B", "C"], "pupil_id": ["1", "1"], "status": ["enrolled", "unknown"]})
    costs = pd.DataFrame({"school_id": ["A"], "item": ["fees"]})
    before = pupils()
    frames, key_table = pseudonymised({"pupil": before, "status": status, "costs": costs}, key=KEY, tables=TABLES)
    assert list(frames["pupil"]) == ["school_id", "pupil_id", "wave", "source_row"]
    assert frames["pupil"]["pupil_id"].tolist() == [
        pseudonym(pupil, key=KEY, scope=school) for school, pupil in (("A", "1"), ("B", "1"), ("A", "2"))
    ]
    assert frames["pupil"].index.tolist() == [5, 6, 7]
    assert frames["status"]["pupil_id"].iloc[0] == frames["pupil"]["pupil_id"].iloc[1]
    pd.testing.assert_frame_equal(frames["costs"], costs)
    pd.testing.assert_frame_equal(before, pupils())
    assert key_table[["school_id", "pupil_id"]].to_numpy().tolist() == [["A", "1"], ["A", "2"], ["B", "1"], ["C", "1"]]
    assert key_table["name"].fillna("").tolist() == ["Kiss Anna", "", "Novak Eva", ""]
    linked = key_table.set_index("pseudonym")["name"]
    assert linked[frames["pupil"]["pupil_id"].iloc[0]] == "Kiss Anna"


def test_other_spellings_of_a_name_are_all_kept() -> None:
    later = pupils().assign(name=["Kiss Anna", "Novak-Kos Eva", ""], wave="followup")
    _, key_table = pseudonymised({"pupil": pd.concat([pupils(), later])}, key=KEY, tables=TABLES)
    assert key_table["name"].fillna("").tolist() == ["Kiss Anna", "", "Novak Eva; Novak-Kos Eva"]


def test_another_identifier_has_a_scope_of_its_own() -> None:
    table = extended(TABLES["pupil"], [Field("parent_id", "identifier", privacy="identifier")])
    frame = pupils().assign(parent_id=pd.Series(["1", None, "1"], index=[5, 6, 7]))
    frames, key_table = pseudonymised({"pupil": frame}, key=KEY, tables={"pupil": table})
    made = frames["pupil"]
    assert made["parent_id"].isna().tolist() == [False, True, False]
    assert made["parent_id"].iloc[0] == made["parent_id"].iloc[2] != made["pupil_id"].iloc[0]
    assert key_table["parent_id"].fillna("").tolist() == ["1", "1", ""]


def test_a_direct_identifier_of_a_school_has_a_row_without_pseudonym() -> None:
    fields = (Field("school_id", "identifier"), Field("mentor", "text", privacy="direct"))
    table = Table(name="mentors", fields=fields, key=("school_id",), about="school")
    frame = pd.DataFrame({"school_id": ["A"], "mentor": ["Horvat Jan"]})
    frames, key_table = pseudonymised({"mentors": frame}, key=KEY, tables={"mentors": table})
    assert list(frames["mentors"]) == ["school_id"]
    assert key_table["mentor"].tolist() == ["Horvat Jan"]
    assert key_table[["pseudonym", "pupil_id"]].isna().to_numpy().all()


def test_no_pupils_have_a_key_table_without_rows() -> None:
    frames, key_table = pseudonymised({"pupil": pupils().iloc[:0]}, key=KEY, tables=TABLES)
    assert len(frames["pupil"]) == 0
    assert list(key_table) == ["pseudonym", "school_id", "pupil_id", "name"]


def test_a_key_table_comes_back_with_its_zeros_signs_and_gaps() -> None:
    table = pd.DataFrame(
        {"pseudonym": ["pa", None], "school_id": ["01", "02"], "pupil_id": ["007", None], "name": ['"Ő; š\nЉ,', None]}
    ).astype("str")
    recipient, identity = new_identity()
    content = encrypt_key_table(table, recipient)
    assert b"007" not in content
    assert parse_recipient(f"{identity}\n") == recipient
    pd.testing.assert_frame_equal(decrypt_key_table(content, f"{identity}\n"), table)


def test_another_identity_a_broken_one_and_damage_are_told_apart_from_data() -> None:
    recipient, identity = new_identity()
    content = encrypt_key_table(pupils()[["school_id"]], recipient)
    with pytest.raises(DataError, match="another identity"):
        decrypt_key_table(content, new_identity()[1])
    with pytest.raises(DataError, match="identity cannot be read"):
        decrypt_key_table(content, recipient)
    with pytest.raises(DataError, match="damage"):
        decrypt_key_table(content[:-1], identity)
    with pytest.raises(DataError, match="recipient"):
        encrypt_key_table(pupils()[["school_id"]], identity)


def test_the_mark_of_a_file_depends_on_its_content_and_the_key_and_not_on_its_parts() -> None:
    marks = [
        mark_of_file(parts, key=key)
        for parts, key in (
            ([b"school_id;", b"pupil_id"], b"sixteen bytes at least"),
            ([b"school_id;pupil_id"], b"sixteen bytes at least"),
            ([b"school_id;pupil_id"], b"another key of 16 bytes"),
            ([b"school_id;pupil_ie"], b"sixteen bytes at least"),
        )
    ]
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


def test_an_identity_is_locked_by_a_long_passphrase_and_opens_with_no_other() -> None:
    identity = new_identity()[1]
    passphrase = " ".join(["five", "words", "are", "long", "enough"])
    locked = lock_identity(identity, passphrase)
    assert identity.encode() not in locked
    assert unlock_identity(locked, passphrase) == identity
    with pytest.raises(DataError, match="another passphrase, or damage"):
        unlock_identity(locked, passphrase + "!")
    with pytest.raises(DataError, match="11 characters"):
        lock_identity(identity, "x" * 11)
