"""Whatever intake says of a file is a sentence that every language has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import data_schema
from data_schema.language import Catalogue, Language
from data_schema.messages import remove_cell_values, translate_sentence
from data_schema.sentences import REASONS, SENTENCES

FOLDER = Path(data_schema.__file__).parent
_OF_ERRORS = {"expressions", "fields", "files", "errors", "tables", "rules", "store", "pseudonyms", "exports"}
_OF_PAGES = {"forms", "queries", "xlsforms", "workbooks", "exports", "quality"}
NO_FINDINGS = _OF_ERRORS | _OF_PAGES | {"sentences", "messages", "vocabulary", "language"}
"""Modules that make no findings: their sentences are of errors, forms and pages. A new module is none of them."""


def said(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module that are no docstrings and are not of errors, "..." where a value goes into them."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            passed |= {id(inner) for inner in ast.walk(node)}
        if isinstance(node, ast.JoinedStr):
            passed |= {id(inner) for inner in ast.walk(node) if inner is not node}
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            pieces = (str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)
            yield node.lineno, "".join(pieces)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def is_sentence(text: str) -> bool:
    starts = text[:1].isupper() or text.startswith(("{", "..."))
    return starts and " " in text and text.endswith(".") and not text.endswith("...")


def sentences() -> list[tuple[str, str]]:
    """Return every sentence of a finding with where it is made."""
    found = []
    for module in sorted(FOLDER.rglob("*.py")):
        if module.stem not in NO_FINDINGS or module.parent != FOLDER:
            place = module.relative_to(FOLDER)
            found += [(f"{place}:{line}", text) for line, text in said(module) if is_sentence(text)]
    return found


def test_every_sentence_of_a_finding_is_in_the_catalogue() -> None:
    made = sentences()
    unknown = [f"{place} {text}" for place, text in made if remove_cell_values(text) == "There is a question about it."]
    assert len(made) > 150
    assert unknown == []


def test_no_finding_is_made_in_a_module_whose_sentences_are_not_looked_at() -> None:
    for name in NO_FINDINGS:
        nodes = ast.walk(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")))
        made = [node.lineno for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding"]
        assert made == [], name


def test_every_reason_why_a_file_cannot_be_read_is_in_the_catalogue() -> None:
    reasons = set()
    for module in (FOLDER / "readers").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "UnreadableError":
                reasons |= {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
    assert len(reasons) > 8
    assert reasons <= set(REASONS)


@pytest.mark.parametrize("language", ["hu", "sr", "sl"])
def test_a_reason_is_said_in_the_language_too(language: str) -> None:
    catalogue = Catalogue("data_schema", Language(language))
    for reason in REASONS:
        told = translate_sentence(f"It is no workbook that can be read: {reason}.", catalogue)
        assert reason not in told
        assert catalogue.text(reason) in told


@pytest.mark.parametrize("language", ["hu", "sr", "sr-Latn", "sl"])
def test_a_sentence_keeps_what_stands_in_its_slots(language: str) -> None:
    catalogue = Catalogue("data_schema", Language(language))
    for sentence in SENTENCES:
        slots = [piece.partition("}")[0] for piece in sentence.split("{")[1:]]
        values = {slot: f"<{k}>" for k, slot in enumerate(slots)}
        told = translate_sentence(sentence.format(**values), catalogue)
        # Commands are for the trial's own people: a school is told that it need not do anything.
        if "crocoos" not in sentence:
            assert all(value in told for value in values.values()), sentence
        assert told != sentence.format(**values)


def test_where_something_stands_is_said_in_the_language() -> None:
    hungarian = Catalogue("data_schema", Language("hu"))
    text = "The same pupil (pupil_id) is in a.xlsx, sheet '9. a', row 3 and row 5 with other values."
    assert translate_sentence(text, hungarian).endswith("a.xlsx, „9. a” lap, 3. sor; 5. sor.")
    hidden = "Rows are hidden (2 to 4, 9); they are taken in like others."
    assert "(2–4, 9)" in translate_sentence(hidden, hungarian)
    latin = Catalogue("data_schema", Language("sr-Latn"))
    assert translate_sentence(
        "The answer about a.csv, column 'x' is to an older file; it is not used.", latin
    ).startswith("Odgovor o ovome (a.csv, kolona „x“)")


def test_names_and_quotation_marks_are_those_of_the_language() -> None:
    slovenian = Catalogue("data_schema", Language("sl"))
    two = "Rules say that it is 'pupil' ('baseline') and 'status' ('followup'); it is not read."
    assert "»Dijaki« (»baseline«), »Status dijaka« (»followup«)" in translate_sentence(two, slovenian)
    then = "It is read by the version '2027' of its table, which has other columns or answers: "
    assert translate_sentence(f"{then}average_mark ('grade point').", slovenian).endswith(
        "povprečna ocena (»grade point«)."
    )
    meant = "Is '07' or '7-0' meant? Send it with its zeros and signs; format the column as text, so that they stay."
    assert "»07« ali »7-0«" in translate_sentence(meant, slovenian)
    assert translate_sentence('"it\'s" is not a number.', slovenian) == "»it's« ni število."
    assert translate_sentence("'' is not a number.", slovenian) == "»« ni število."
