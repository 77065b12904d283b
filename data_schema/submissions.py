"""Tables that programs for collecting forms hand back: their own columns, names of groups, states of review.

What a program adds to a form's own fields is known by how it is spelled, letter for letter: "Status" is ODK Central's
where "status" is the form's. Which columns there are is from the programs themselves:

- ODK Central: ``lib/data/briefcase.js`` of getodk/central-backend, and docs.getodk.org/central-submissions.
- KoBoToolbox: ``copy_fields`` of kobotoolbox/formpack, and support.kobotoolbox.org/export_download.html.
- REDCap: the R packages REDCapR and redcapAPI, and the help on exports of REDCap itself.
- SurveyCTO: docs.surveycto.com, "Exporting and publishing data", "Data format".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from data_schema.fields import normalise_header, normalise_word
from data_schema.findings import Finding, Severity
from data_schema.readers.sheets import Row, Sheet

if TYPE_CHECKING:
    from data_schema.layout import Layout

FORM = "crocoos_form"
"""What a form of ours writes down by itself: its name, and the version of it."""

PUPIL_LISTED, PUPIL_TYPED = "pupil_listed", "pupil_typed"
"""How a form of ours asks for a pupil: one of the two is the identifier, which is in its own column as well."""

OTHER_FORM = "other form"
REJECTED, UNDECRYPTED, IN_DOUBT = "rejected", "undecrypted", "in doubt"
"""What a review has said of a submission; nothing is said of those that hold."""

_ODK = (
    "SubmissionDate KEY PARENT_KEY SubmitterID SubmitterName AttachmentsPresent AttachmentsExpected Status "
    "ReviewState DeviceID Edits FormVersion isValidated"
)
_KOBO = (
    "_id _uuid _submission_time _validation_status _notes _status _submitted_by __version__ _version_ _tags "
    "_index _parent_index _parent_table_name _submission__id _submission__uuid _attachments _geolocation "
    "_xform_id_string _bamboo_dataset_id"
)
_REDCAP = (
    "redcap_event_name|redcap_repeat_instrument|redcap_repeat_instance|redcap_data_access_group|"
    "redcap_survey_identifier|Event Name|Repeat Instrument|Repeat Instance|Data Access Group|Survey Identifier|"
    "Survey Timestamp|Complete?"
)
_SURVEYCTO = (
    "SubmissionDate CompletionDate KEY PARENT_KEY SET-OF instanceID instanceName formdef_version review_status "
    "review_quality review_comments review_corrections"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """A program that forms are filled in with.

    Parameters
    ----------
    name
        What people call it.
    adds
        The columns that it adds to every table, as it spells them.
    between
        What may stand between the names of groups and of a field.
    remarks
        Those of its columns that hold what reviewers wrote.
    reviews
        Those of its columns that say what became of a submission, to the words for it (`folded`); any other word leaves
        it in doubt.
    senders
        Those of its columns that say who sent a submission, of which one is filled in unless it was a test.
    sent
        Its column that says when a submission was sent.
    """

    name: str
    adds: frozenset[str]
    between: tuple[str, ...] = ("-", "/")
    remarks: tuple[str, ...] = ()
    reviews: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    senders: tuple[str, ...] = ()
    sent: str = "SubmissionDate"


COLLECTORS = (
    Collector(
        name="ODK",
        adds=frozenset(_ODK.split()),
        # Whoever sends to a published form is known; a draft is tested by whoever has its link.
        senders=("SubmitterID", "SubmitterName"),
        reviews={
            "ReviewState": {"rejected": REJECTED, "approved": "", "edited": "", "received": ""},
            "Status": {"not decrypted": UNDECRYPTED, "missing encrypted form data": UNDECRYPTED},
        },
    ),
    Collector(
        name="KoBoToolbox",
        adds=frozenset(_KOBO.split()),
        between=("/", ":", "-", "|", "."),
        sent="_submission_time",
        remarks=("_notes",),
        reviews={
            "_validation_status": {
                "not approved": REJECTED,
                "validation status not approved": REJECTED,
                "approved": "",
                "validation status approved": "",
            }
        },
    ),
    Collector(
        name="SurveyCTO",
        adds=frozenset(_SURVEYCTO.split()),
        remarks=("review_comments", "review_corrections"),
        reviews={
            "review_status": {"rejected": REJECTED, "approved": ""},
            "review_quality": {"good": "", "okay": "", "not classified": "", "unclassified": ""},
        },
    ),
    Collector(name="REDCap", adds=frozenset(_REDCAP.split("|")), between=()),
)

_COMMON = frozenset(("KEY", "Status", "Edits", "DeviceID", "_id", "_status", "_notes", "_tags", "_index"))
"""Columns that programs add under words that fields have as well; the others are fields where the protocol says so."""

_WRITTEN_DOWN = (
    "start end today starttime endtime deviceid device_id devicephonenum phonenumber subscriberid simid simserial "
    "username email audit duration caseid instanceid instancename"
)
"""What a form has a program write down by itself (XLSForm's metadata), where no field of the table is called so."""

_DAY_IN_WORDS = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4}")
_METADATA = re.compile(r"(?:meta|formhub)[-/:]", re.IGNORECASE)
_LEAST = 2
"""Number of a program's own columns by which its tables are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The header of a table that a program for collecting forms handed back.

    Parameters
    ----------
    collector
        The program.
    fields
        Column to the name of what the form asks there, without its groups where that is not in doubt.
    added
        Name to column of what the program adds.
    alike
        Header, as it is compared, to the columns of several groups that all have it.
    """

    collector: Collector
    fields: Mapping[int, str]
    added: Mapping[str, int]
    alike: Mapping[str, tuple[int, ...]]

    def reviewed(self, row: Row) -> str:
        """Return what a review has said of the submission in a row; "" where it holds."""
        review_states = {self._find_state(row, name, words) for name, words in self.collector.reviews.items()}
        return next((state for state in (UNDECRYPTED, REJECTED, IN_DOUBT) if state in review_states), "")

    def has_remarks(self, rows: Iterable[Row]) -> bool:
        """Whether reviewers have written anything beside the submissions."""
        places = [self.added[name] for name in self.collector.remarks if name in self.added]
        return any(_get_cell_text(row, column_index) for row in rows for column_index in places)

    def is_unsigned(self, row: Row) -> bool:
        """Whether nothing says who sent a submission, where the program knows that of all but tests."""
        places = [self.added[name] for name in self.collector.senders if name in self.added]
        return bool(places) and not any(_get_cell_text(row, column_index) for column_index in places)

    def day_sent(self, row: Row) -> date | None:
        """Return the day on which a submission was sent; None where that cannot be read."""
        sent_text = _get_cell_text(row, self.added[self.collector.sent]) if self.collector.sent in self.added else ""
        match = _DAY_IN_WORDS.match(sent_text)
        try:
            if match is not None:
                return datetime.strptime(match[0], "%b %d, %Y").date()  # noqa: DTZ007 -- a day, without its hours
            return date.fromisoformat(sent_text[:10])
        except ValueError:
            return None

    def _find_state(self, row: Row, name: str, words: Mapping[str, str]) -> str:
        review_text = normalise_word(_get_cell_text(row, self.added[name])) if name in self.added else ""
        return words.get(review_text, IN_DOUBT) if review_text else ""


def _get_cell_text(row: Row, at: int) -> str:
    cell = row[at] if at < len(row) else None
    return "" if cell is None else str(cell).strip()


def detect_collected_form(header: Row, known: Collection[str]) -> Collected | None:
    """Return what a header says as one that a program for collecting forms wrote; None where none did.

    Parameters
    ----------
    header
        The row of headers.
    known
        Headers that mean a field of the table, as `normalise_header` makes them.

    Examples
    --------
    >>> header = ("SubmissionDate", "pupil-status", "meta-instanceID", "KEY", "Status")
    >>> found = detect_collected_form(header, {"status"})
    >>> found.collector.name, dict(found.fields)
    ('ODK', {1: 'status'})
    """
    names = {
        column_index: cell.strip() for column_index, cell in enumerate(header) if isinstance(cell, str) and cell.strip()
    }
    spelled = frozenset(names.values())
    collector = max(COLLECTORS, key=lambda one: len(one.adds & spelled))
    if len(collector.adds & spelled) < _LEAST:
        return None
    # A form's own field may be called the same; what the program adds stands behind it.
    added = {
        name: column_index
        for column_index, name in names.items()
        if name in collector.adds and (name in _COMMON or normalise_header(name) not in known)
    }
    form_names = {
        column_index: name
        for column_index, name in names.items()
        if column_index not in added.values() and not _is_metadata(name, known)
    }
    inner = {
        column_index: _remove_group_names(name, collector, known, names=form_names.values())
        for column_index, name in form_names.items()
    }
    keys = {column_index: normalise_header(name) for column_index, name in inner.items()}
    shared: dict[str, list[int]] = {}
    for key_column, key in keys.items():
        if key in known and normalise_header(form_names[key_column]) != key:
            shared.setdefault(key, []).append(key_column)
    whole_name_keys = {normalise_header(name) for name in form_names.values()}
    alike = {key: tuple(places) for key, places in shared.items() if len(places) > 1 and key not in whole_name_keys}
    doubtful = {
        column_index
        for key, places in shared.items()
        if key in whole_name_keys or key in alike
        for column_index in places
    }
    return Collected(
        collector=collector,
        fields={
            column_index: form_names[column_index] if column_index in doubtful else name
            for column_index, name in inner.items()
        },
        added=added,
        alike=alike,
    )


def _is_metadata(name: str, known: Collection[str]) -> bool:
    if normalise_header(name) in known:
        return False
    bare = re.split(r"[-/:]", name)[-1]
    if bare in (FORM, PUPIL_LISTED, PUPIL_TYPED):
        return True
    return _METADATA.match(name) is not None or name.casefold() in _WRITTEN_DOWN.split()


def _remove_group_names(name: str, collector: Collector, known: Collection[str], *, names: Collection[str]) -> str:
    """Return the name of a field without the groups that it is in; the whole of it where that means no field."""
    if normalise_header(name) in known:
        return name
    for between in collector.between:
        group, remaining_name = "", name
        while between in remaining_name:
            outer, _, remaining_name = remaining_name.partition(between)
            group = f"{group}{between}{outer}" if group else outer
            # Beside a column "support", "support/meals" is one of the answers that were chosen there.
            if normalise_header(remaining_name) in known and group not in names:
                return remaining_name
    return name


def describe_program_columns(
    sheet: Sheet, header: int, form: Collected | None, owner: Mapping[str, str], states: Mapping[int, str]
) -> Iterator[Finding]:
    """Report what a program for collecting forms has put around the form's own answers.

    Parameters
    ----------
    sheet
        The sheet, and the position of its header.
    form
        What `collected` found there; None where no program wrote it.
    owner
        Field that each header means.
    states
        Row to what `Collected.reviewed` says of it.
    """
    if form is None:
        return
    row, about = sheet.rows[header], partial(Finding, file=sheet.file, sheet=sheet.sheet)
    problem = f"It is a table of {form.collector.name}; what the program adds to the form's own columns is not read."
    yield about(row=header + 1, problem=problem, remedy="Nothing.", severity="note")
    for key, places in form.alike.items():
        called = ", ".join(repr(str(row[column_index])) for column_index in places)
        problem = f"More than one of its columns can be {owner[key]!r}: {called}; none of them is read."
        remedy = f"Call the right one {owner[key]!r} and send the file again."
        yield about(row=header + 1, column=owner[key], problem=problem, remedy=remedy, severity="question")
    n_encrypted = sum(state == UNDECRYPTED for state in states.values())
    if n_encrypted:
        problem = f"{n_encrypted} of its submissions are encrypted; they are kept out."
        remedy = "Decrypt them when you export the table, and send it again."
        yield about(problem=problem, remedy=remedy, severity="question")
    if form.has_remarks(sheet.rows[header + 1 :]):
        problem = "Reviewers have written remarks beside the submissions; they are not read."
        remedy = "Read them; what they say of a pupil belongs into the cells."
        yield about(row=header + 1, problem=problem, remedy=remedy, severity="note")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownForm:
    """A form of the trial, as the protocol makes it now.

    Parameters
    ----------
    table, wave
        What it asks for; the wave is empty for tables without waves.
    versions
        Its versions: with a list of pupils and without.
    """

    table: str
    wave: str
    versions: frozenset[str]


def ask_about_tests(layout: Layout, *, known: Collection[str], opens: date | None) -> Layout:
    """Ask about submissions that may be tests: nobody sent them, or they were sent before their wave began.

    Parameters
    ----------
    layout
        Where the table lies.
    known
        Headers that mean a field of the table, as `normalise_header` makes them.
    opens
        First day of the wave, if it is known.

    Returns
    -------
    Layout
        Such rows are in doubt, with a note of why; "yes" keeps one and "no" takes it out. Where all were sent before
        the wave began, the day may be the wrong one: that is asked once.
    """
    form = None if layout.header is None else detect_collected_form(layout.sheet.rows[layout.header], known)
    if form is None:
        return layout
    rows = {
        row_position: layout.sheet.rows[row_position]
        for k, row_position in enumerate(layout.rows)
        if k not in layout.apart
    }
    unsigned = {row_position for row_position, row in rows.items() if form.is_unsigned(row)}
    days = {row_position: form.day_sent(row) for row_position, row in rows.items()} if opens is not None else {}
    early = {
        row_position for row_position, day in days.items() if day is not None and opens is not None and day < opens
    } - unsigned
    notes = []
    if unsigned:
        problem = f"{len(unsigned)} of its submissions have no submitter, as tests of a draft have none."
        notes.append(_build_sheet_finding(layout, problem, _IN_QUESTIONS, severity="note"))
    if early and len(early) == len(rows) > 1:
        problem = f"All of its submissions were sent before {opens}, when the wave began; they may be tests."
        notes.append(_build_sheet_finding(layout, problem, _TESTS_OUT, severity="question"))
        early = set()
    elif early:
        problem = f"{len(early)} of its submissions were sent before {opens}, when the wave began; they may be tests."
        notes.append(_build_sheet_finding(layout, problem, _IN_QUESTIONS, severity="note"))
    in_doubt = layout.in_doubt | {row_position + 1 for row_position in (*unsigned, *early)}
    return replace(layout, in_doubt=in_doubt, findings=(*layout.findings, *notes)) if notes else layout


_IN_QUESTIONS = "Answer the questions about their rows."
_TESTS_OUT = "Remove those that are tests; otherwise check when the wave begins."


def check_form_versions(
    layout: Layout, *, table: str, wave: str, forms: Callable[[], Mapping[str, KnownForm]]
) -> Layout:
    """Compare what submissions say of their form with the forms that the trial has.

    Parameters
    ----------
    layout
        Where the table lies.
    table, wave
        What the rule says that it is.
    forms
        Returns the forms of the trial by name; is called where submissions name a form.

    Returns
    -------
    Layout
        Submissions of another form are apart, with a question; those of another version are reported.
    """
    head: Row = () if layout.header is None else layout.sheet.rows[layout.header]
    form_column = next(
        (k for k, cell in enumerate(head) if isinstance(cell, str) and _BEFORE.sub("", cell) == FORM), None
    )
    if form_column is None:
        return layout
    known = forms()
    findings: list[Finding] = []
    apart: dict[int, str] = {}
    n_older = 0
    stated_forms = [_get_cell_text(layout.sheet.rows[row], form_column).rpartition(" ") for row in layout.rows]
    for name in sorted({name for name, _, version in stated_forms if version}):
        form, form_rows = known.get(name), [k for k, stated_form in enumerate(stated_forms) if stated_form[0] == name]
        if form is None or (form.table, form.wave) != (table, wave):
            apart |= dict.fromkeys(form_rows, OTHER_FORM)
            n = len(form_rows)
            problem = f"{n} of its submissions are of the form {name!r}, which is of something else; they are kept out."
            remedy = "Put them where submissions of that form belong, or remove them."
            findings.append(_build_sheet_finding(layout, problem, remedy, severity="question"))
        else:
            n_older += sum(stated_forms[k][2] not in form.versions for k in form_rows)
    if n_older:
        problem = f"{n_older} of its submissions are of another version of the form than the one of now."
        remedy = "Check that it asked the same, and send out the form of now."
        findings.append(_build_sheet_finding(layout, problem, remedy, severity="note"))
    rows_set_apart = MappingProxyType({**layout.apart, **apart}) if apart else layout.apart
    return replace(layout, findings=(*layout.findings, *findings), apart=rows_set_apart)


_BEFORE = re.compile(r".*[-/:]")


def _build_sheet_finding(layout: Layout, problem: str, remedy: str, *, severity: Severity) -> Finding:
    sheet = layout.sheet
    return Finding(file=sheet.file, sheet=sheet.sheet, problem=problem, remedy=remedy, severity=severity)
