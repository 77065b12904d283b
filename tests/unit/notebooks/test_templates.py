"""The notebooks: valid, without results, with parameters, and with nothing in them but sections."""

from __future__ import annotations

import ast
import json

import nbformat
import pytest

from notebooks import TEMPLATES, template
from reports import sections
from tests.support.report_blocks import cells

FIRST = """from evaluation import Trial
from reports import sections, show

evidence = Trial(folder).evidence(country=country)"""


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_a_valid_notebook_without_results(name: str) -> None:
    nbformat.validate(json.loads(template(name).read_text(encoding="utf-8")))
    for cell in cells(name):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_one_cell_of_parameters_with_their_defaults(name: str) -> None:
    tagged = [cell for cell in cells(name) if "parameters" in cell["metadata"].get("tags", [])]
    assert ["".join(cell["source"]) for cell in tagged] == ['folder = "."\ncountry = ""\nlanguage = "en"']


@pytest.mark.parametrize("name", TEMPLATES)
def test_cells_have_ids_that_say_what_they_are(name: str) -> None:
    ids = [cell["id"] for cell in cells(name)]
    assert len(ids) == len(set(ids))
    assert ids[:3] == ["about", "parameters", "evidence"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_after_the_evidence_every_cell_shows_one_section_and_does_nothing_else(name: str) -> None:
    code = ["".join(cell["source"]) for cell in cells(name) if cell["cell_type"] == "code"]
    assert code[1] == FIRST
    for source in code[2:]:
        shown = ast.parse(source, mode="eval").body
        assert isinstance(shown, ast.Call)
        assert ast.unparse(shown.func) == "show"
        (section,) = shown.args
        assert isinstance(section, ast.Call)
        assert [ast.unparse(arg) for arg in section.args] == ["evidence", "language"]
        assert ast.unparse(section.func).removeprefix("sections.") in sections.__all__


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_written_as_one_cell_a_line_of_json_with_sorted_content(name: str) -> None:
    raw = template(name).read_text(encoding="utf-8")
    assert raw == json.dumps(json.loads(raw), indent=1, ensure_ascii=False) + "\n"


def test_an_unknown_template_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(KeyError, match=r"'brief' is not a template.*evidence_summary"):
        template("brief")
