"""What schools are asked to fill in: an entry workbook each, with their own pupils in it, and XLSForms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from data_schema.files import write_whole
from evaluation.frame import eligible
from evaluation.provenance import whole_folder
from evaluation.specifications import tables_of

if TYPE_CHECKING:
    from data_schema.forms import FormTable
    from data_schema.language import Catalogue
    from data_schema.tables import Table
    from evaluation.trial import Trial

_BLANK_WITHOUT_LIST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Forms that were written.

    Parameters
    ----------
    workbooks
        Entry workbooks, one a school, below private/forms/: they hold identifiers of pupils.
    xlsforms
        XLSForms, one a table, below output/forms/.
    """

    workbooks: tuple[Path, ...]
    xlsforms: tuple[Path, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the paths as JSON values."""
        return {"workbooks": [str(path) for path in self.workbooks], "xlsforms": [str(path) for path in self.xlsforms]}


def write_forms(trial: Trial, *, wave: str) -> Forms:
    """Write the forms of a wave.

    Parameters
    ----------
    trial
        The trial.
    wave
        Name of the wave.

    Raises
    ------
    ProtocolError
        When there is no such wave.
    """
    from data_schema.forms import entry_workbook, xlsform
    from data_schema.workbooks import file_name

    if wave not in trial.protocol.wave_names:
        known = ", ".join(trial.protocol.wave_names)
        raise ProtocolError("wave", f"'{wave}' is no wave of this trial.", f"Name one of {known}.")
    asked = _tables(trial, wave)
    pupils = _pupils(trial, wave)
    schools = eligible(trial.schools()[0])
    pairs = list(zip(schools["school_id"], schools["country"], strict=True))
    private = trial.paths.forms / wave
    with whole_folder(private) as folder:
        for done, (school, country) in enumerate(pairs):
            trial.progress("Writing forms", done, len(pairs))
            forms = [_form(table, pupils.get(school, [])) for table in asked]
            content = entry_workbook(forms, school=school, wave=wave, catalogue=_catalogue(country))
            write_whole(folder / country / f"{file_name(school)}.xlsx", content, mode=0o600)
    trial.progress("Writing forms", len(pairs), len(pairs))
    languages = [_catalogue(country) for country in sorted(trial.protocol.countries)]
    catalogues = list(dict.fromkeys([_catalogue(""), *languages]))
    public = trial.paths.root / "output" / "forms" / wave
    with whole_folder(public) as folder:
        for table in asked:
            content = xlsform(table, catalogues=catalogues, form_id=f"{table.name}_{wave}")
            (folder / f"{table.name}.xlsx").write_bytes(content)
    return Forms(workbooks=tuple(sorted(private.rglob("*.xlsx"))), xlsforms=tuple(sorted(public.glob("*.xlsx"))))


def _tables(trial: Trial, wave: str) -> list[Table]:
    """Return the tables that schools fill in in a wave: those that the inbox rules collect."""
    tables = tables_of(trial.protocol)
    names = dict.fromkeys(rule.table for rule in trial.protocol.inbox if rule.wave == wave)
    return [tables[name] for name in names if any(_is_schools(item.name, tables[name]) for item in tables[name].fields)]


def _is_schools(name: str, table: Table) -> bool:
    return name not in (*table.key, "school_id") and table.field(name).filled_in_by == "school"


def _form(table: Table, known: Sequence[Mapping[str, str]]) -> FormTable:
    from data_schema.forms import FormTable

    if table.about != "pupil":
        return FormTable(table=table, rows=(), n_blank=5)
    return FormTable(table=table, rows=known, n_blank=30 if known else _BLANK_WITHOUT_LIST)


def _catalogue(country: str) -> Catalogue:
    from data_schema.language import Catalogue, Language
    from data_schema.messages import language_of

    return Catalogue("data_schema", Language(language_of(country)))


def _pupils(trial: Trial, wave: str) -> dict[str, list[dict[str, str]]]:
    """Return the pupils that are known of each school, as its files list them: in this wave or the last one before."""
    from data_schema.privacy import looks_like_name
    from evaluation.stages.collect import taken_in

    if not trial.inbox_files():
        return {}
    frame = taken_in(trial).frames["pupil"]
    names = trial.protocol.wave_names
    until = names[: names.index(wave) + 1]
    frame = frame[frame["wave"].isin(until)].drop_duplicates(["school_id", "pupil_id"], keep="last")
    has_class = "class" in frame.columns
    known: dict[str, list[dict[str, str]]] = {}
    for row in frame.sort_values(["school_id", "pupil_id"]).to_dict("records"):
        if looks_like_name(str(row["pupil_id"]), among_words=False):
            # Somebody wrote a name where an identifier belongs.
            continue
        pupil = {"pupil_id": str(row["pupil_id"])}
        if has_class and isinstance(row["class"], str):
            pupil["class"] = row["class"]
        known.setdefault(str(row["school_id"]), []).append(pupil)
    return known
