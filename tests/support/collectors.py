"""Tables as programs for collecting forms hand them back, their headers taken from the form as pyxform converts it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

import openpyxl

Records = Sequence[Mapping[str, str]]
_FORMS = "{http://www.w3.org/2002/xforms}"


def converted(xlsform: bytes) -> str:
    """Return an XLSForm as the XForm that programs make of it."""
    from pyxform.xls2xform import convert

    return str(convert(io.BytesIO(xlsform), validate=False, file_type=".xlsx").xform)


def paths_of(xlsform: bytes) -> list[tuple[str, ...]]:
    """Return the groups and the name of each thing that a form asks or writes down, in their order."""
    root = ET.fromstring(converted(xlsform))  # noqa: S314 -- made here
    instance = next(root.iter(f"{_FORMS}instance"))
    return list(_leaves(instance[0], ()))


def _leaves(node: ET.Element, above: tuple[str, ...]) -> list[tuple[str, ...]]:
    found = []
    for child in node:
        path = (*above, child.tag.rpartition("}")[2])
        found += _leaves(child, path) if len(child) else [path]
    return found


def labels_of(xlsform: bytes, language: str) -> dict[str, str]:
    """Return what a form calls each question in one of its languages, by name."""
    root = ET.fromstring(converted(xlsform))  # noqa: S314 -- made here
    (translation,) = (one for one in root.iter(f"{_FORMS}translation") if f"({language})" in str(one.get("lang")))
    return {
        str(node.get("id")).removesuffix(":label").rpartition("/")[2]: "".join(node.itertext())
        for node in translation
        if str(node.get("id")).endswith(":label")
    }


def choices_of(xlsform: bytes, language: str) -> dict[tuple[str, str], str]:
    """Return what a form calls each answer in one of its languages, by list and name."""
    head, *rows = openpyxl.load_workbook(io.BytesIO(xlsform))["choices"].iter_rows(values_only=True)
    at = next(k for k, title in enumerate(head) if f"({language})" in str(title))
    return {(str(row[0]), str(row[1])): str(row[at]) for row in rows}


def mark_of(xlsform: bytes) -> str:
    """Return what a form writes down of itself."""
    rows = openpyxl.load_workbook(io.BytesIO(xlsform))["survey"].iter_rows(values_only=True)
    head = next(rows)
    (mark,) = (row[head.index("calculation")] for row in rows if row[1] == "crocoos_form")
    return str(mark).strip("'")


def grouped(xlsform: bytes, *groups: str) -> bytes:
    """Return an XLSForm with all of its questions but the first in groups, one within the other."""
    book = openpyxl.load_workbook(io.BytesIO(xlsform))
    survey = book["survey"]
    label = next(at for at, cell in enumerate(survey[1], start=1) if str(cell.value).startswith("label::"))
    for group in reversed(groups):
        survey.insert_rows(3)
        survey["A3"], survey["B3"], survey.cell(row=3, column=label).value = "begin group", group, group
        survey.append(["end group"])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def odk_central(xlsform: bytes, records: Records, **added: str) -> bytes:
    """Return what ODK Central makes of submissions: CSV, groups before the names, its own columns around them."""
    mark = {"crocoos_form": mark_of(xlsform)}
    paths = [path for path in paths_of(xlsform) if path[-1] != "instanceName"]
    own = {
        "SubmitterID": "7", "SubmitterName": "Teszt Elek", "AttachmentsPresent": "0", "AttachmentsExpected": "0",
        "Status": "", "ReviewState": "", "DeviceID": "collect:x", "Edits": "0", "FormVersion": "1", **added,
    }  # fmt: skip
    header = ["SubmissionDate", *map("-".join, paths), "KEY", *own]
    rows = [
        [
            "2028-10-05T10:00:00.000Z",
            *_cells(paths, {**mark, **record}, k),
            f"uuid:{k}",
            *(record.get(one, own[one]) for one in own),
        ]
        for k, record in enumerate(records)
    ]
    return _csv([header, *rows], ",")


def kobotoolbox(xlsform: bytes, records: Records, *, language: str = "", between: str = "/", **added: str) -> bytes:
    """Return what KoBoToolbox makes of submissions: CSV with ";", every cell quoted; labels in a language if given."""
    mark = {"crocoos_form": mark_of(xlsform)}
    paths = [path for path in paths_of(xlsform) if path[0] != "meta"]
    labels = labels_of(xlsform, language) if language else {}
    choices = choices_of(xlsform, language) if language else {}
    own = {
        "_id": "1", "_uuid": "u", "_submission_time": "2028-10-05T10:00:00", "_validation_status": "", "_notes": "",
        "_status": "submitted_via_web", "_submitted_by": "", "__version__": "vX", "_tags": "", "_index": "1", **added,
    }  # fmt: skip
    header = [*(between.join(labels.get(part, part) for part in path) for path in paths), *own]
    said = [{name: choices.get((name, value), value) for name, value in record.items()} for record in records]
    rows = [
        [*_cells(paths, {**mark, **record}, k), *(record.get(one, own[one]) for one in own)]
        for k, record in enumerate(said)
    ]
    return b"\xef\xbb\xbf" + _csv([header, *rows], ";", quoted=True)


def surveycto(xlsform: bytes, records: Records, **added: str) -> bytes:
    """Return what SurveyCTO makes of submissions: CSV, dates in words, its own columns around the form's."""
    mark = {"crocoos_form": mark_of(xlsform)}
    paths = [path for path in paths_of(xlsform) if path[0] != "meta"]
    own = {"instanceID": "uuid:1", "formdef_version": "2501011200", "review_quality": "", "review_status": "APPROVED",
           "KEY": "uuid:1", **added}  # fmt: skip
    header = ["SubmissionDate", "starttime", "endtime", "deviceid", *(path[-1] for path in paths), *own]
    rows = [
        [
            *["Oct 5, 2028 10:00:00 AM"] * 3,
            "web",
            *_cells(paths, {**mark, **record}, k),
            *(record.get(one, own[one]) for one in own),
        ]
        for k, record in enumerate(records)
    ]
    return _csv([header, *rows], ",")


def _cells(paths: Sequence[tuple[str, ...]], record: Mapping[str, str], number: int) -> list[str]:
    return [f"uuid:{number}" if path[-1] == "instanceID" else record.get(path[-1], "") for path in paths]


def _csv(rows: Sequence[Sequence[str]], separator: str, *, quoted: bool = False) -> bytes:
    made = io.StringIO()
    csv.writer(made, delimiter=separator, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).writerows(rows)
    return made.getvalue().encode()
