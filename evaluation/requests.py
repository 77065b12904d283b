"""What schools and partners are asked to fill in: workbooks with their own pupils or schools, and XLSForms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from data_schema.files import build_storage_error, write_whole
from evaluation.consent import find_refusing_pupils, find_unanswered_pupils
from evaluation.frame import select_eligible_schools
from evaluation.guarded_files import FORMS, keep_in_private
from evaluation.known_forms import find_catalogue, list_asked, list_for_sender, map_names, yield_xlsforms
from evaluation.mode import mark_of
from evaluation.provenance import protect_folder
from evaluation.specifications import find_pupil_lists
from evaluation.stages.collect import read_intake
from evaluation.trial_log import Event, add_log_event, export_product_folder

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.forms import FormTable
    from data_schema.language import Catalogue
    from data_schema.tables import Table
    from evaluation.folder import TrialFolder

_BLANK_WITHOUT_LIST = 200
_BLANK_A_SCHOOL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Forms that were written.

    Parameters
    ----------
    workbooks
        Entry workbooks, one per school, below private/forms/, in the vault where there is one: they hold identifiers of
        pupils.
    lists
        Lists of pupils that are attached to XLSForms, one per school, in the same place.
    partners
        Workbooks for the project's partners, one per country, below output/forms/.
    xlsforms
        XLSForms by country, one a table and kind of sender, below output/forms/.
    untold
        Language to the places of the protocol that have no word in it: their readers meet English.
    handed_out
        Folder to which workbooks and lists of schools were copied, to be sent; None where they were not.
    """

    workbooks: tuple[Path, ...]
    lists: tuple[Path, ...]
    partners: tuple[Path, ...]
    xlsforms: tuple[Path, ...]
    untold: Mapping[str, tuple[str, ...]]
    handed_out: Path | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the paths as JSON values."""
        paths = {"workbooks": self.workbooks, "lists": self.lists, "partners": self.partners, "xlsforms": self.xlsforms}
        others: dict[str, object] = {"untold": dict(self.untold), "handed_out": str(self.handed_out or "")}
        return others | {name: [str(path) for path in form_paths] for name, form_paths in paths.items()}


def write_forms(trial: TrialFolder, *, wave: str, to: Path | None = None) -> Forms:
    """Write the forms of a wave: for each school, for each country's partner, and for ODK or KoBo.

    Parameters
    ----------
    trial
        The trial.
    wave
        Name of the wave.
    to
        New folder outside of the trial's that gets a copy of what is for schools, to be sent; a line of the log tells
        of it first. None where nothing is handed out.

    Raises
    ------
    ProtocolError
        When there is no such wave, or nothing can be handed out to that folder.
    """
    if wave not in trial.protocol.wave_names:
        known = ", ".join(trial.protocol.wave_names)
        raise ProtocolError("wave", f"'{wave}' is no wave of this trial.", f"Name one of {known}.")
    if to is not None:
        _refuse_place(trial, to)
    asked = list_asked(trial, wave)
    schools = select_eligible_schools(trial.schools()[0])
    top, public = f"{FORMS}{wave}/", trial.paths.root / "output" / "forms" / wave
    protect_folder(trial.paths.private)
    pupils = _collect_known_pupils(trial, wave)
    form_files = {
        **dict(_iterate_school_workbooks(trial, asked, schools, pupils, wave=wave)),
        **dict(_iterate_choice_lists(schools, pupils)),
    }
    keep_in_private(trial, top, form_files)
    with export_product_folder(trial, public) as folder:
        _write_for_partners(trial, folder, asked, schools, wave=wave)
        for country, sender, form in yield_xlsforms(trial, wave, asked, schools, listed=frozenset(pupils)):
            write_whole(folder / country / f"{form.table.name}_{sender}.xlsx", form.workbook())
    if to is not None:
        _export_school_forms(trial, form_files, wave=wave, to=to)
    partners = sorted(public.glob(f"*/{_PARTNER}"))
    return Forms(
        workbooks=tuple(trial.paths.root / top / name for name in sorted(form_files) if name.endswith(".xlsx")),
        lists=tuple(trial.paths.root / top / name for name in sorted(form_files) if name.endswith(".csv")),
        partners=tuple(partners),
        xlsforms=tuple(sorted(set(public.glob("*/*.xlsx")) - set(partners))),
        untold=_find_untranslated_places(trial, asked),
        handed_out=to,
    )


def _refuse_place(trial: TrialFolder, to: Path) -> None:
    """Refuse a folder in which copies would stay in the trial, or among other files."""
    if to.resolve().is_relative_to(trial.paths.root.resolve()):
        problem = "it is in the trial's folder, where what tells who is who is sealed."
        raise ProtocolError("--to", problem, "Name a new folder elsewhere, from which they are sent.")
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise ProtocolError("--to", "there is something in its place.", "Name a new folder.")


def _export_school_forms(trial: TrialFolder, made: Mapping[str, bytes], *, wave: str, to: Path) -> None:
    """Give forms of schools out of the trial's custody: the line of the log is there before they are."""
    add_log_event(trial, Event.HANDED_OUT, {"forms": wave, "n_files": str(len(made))})
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in made.items():
            write_whole(to / name, content, mode=0o600)
    except OSError as error:
        raise build_storage_error(to, error) from error


_PARTNER = "partner.xlsx"


def _format_wave_label(trial: TrialFolder, wave: str, catalogue: Catalogue) -> str:
    from data_schema.messages import translate_sentence

    label = translate_sentence(
        next(trial_wave.label for trial_wave in trial.protocol.waves if trial_wave.name == wave), catalogue
    )
    mark = mark_of(trial, catalogue.language.code)
    return f"{label} · {mark}" if mark else label


def _iterate_school_workbooks(
    trial: TrialFolder,
    asked: list[Table],
    schools: pd.DataFrame,
    pupils: Mapping[str, Sequence[Mapping[str, str]]],
    *,
    wave: str,
) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each school's entry workbook."""
    from data_schema.forms import Recipient, entry_workbook
    from data_schema.workbooks import clean_file_name

    tables, names = list_for_sender(asked, "school"), map_names(schools)
    pairs = list(zip(schools["school_id"], schools["country"], strict=True)) if tables else []
    for done, (school, country) in enumerate(pairs):
        trial.progress("Writing forms", done, len(pairs))
        catalogue = find_catalogue(country)
        content = entry_workbook(
            [_build_form_table(table, pupils.get(school, [])) for table in tables],
            recipient=Recipient(school=school, title=f"{names[school]} ({school})" if names[school] else school),
            wave=wave,
            wave_label=_format_wave_label(trial, wave, catalogue),
            catalogue=catalogue,
        )
        yield f"{country}/{clean_file_name(school)}.xlsx", content
    trial.progress("Writing forms", len(pairs), len(pairs))


def _write_for_partners(
    trial: TrialFolder, folder: Path, asked: list[Table], schools: pd.DataFrame, *, wave: str
) -> None:
    """Write a workbook for each country's partner, with the country's schools in it."""
    from data_schema.forms import FormTable, Recipient, entry_workbook
    from data_schema.messages import translate_country_name

    tables = list_for_sender(asked, "partner")
    for country, country_schools in schools.groupby("country", sort=True) if tables else ():
        catalogue, names = find_catalogue(str(country)), map_names(country_schools)
        rows = [{"school_id": school} for school in names]
        content = entry_workbook(
            [
                FormTable(table=table, rows=rows, n_blank=0)
                if table.key == ("school_id",)
                else FormTable(table=table, n_blank=_BLANK_A_SCHOOL * len(names))
                for table in tables
            ],
            recipient=Recipient(
                title=translate_country_name(str(country), trial.protocol.countries[str(country)], catalogue),
                schools=names,
            ),
            wave=wave,
            wave_label=_format_wave_label(trial, wave, catalogue),
            catalogue=catalogue,
        )
        write_whole(folder / str(country) / _PARTNER, content)


def _iterate_choice_lists(
    schools: pd.DataFrame, pupils: Mapping[str, Sequence[Mapping[str, str]]]
) -> Iterator[tuple[str, bytes]]:
    """Yield the list that a school's XLSForms choose from: identifiers and classes of its own pupils, no names."""
    from data_schema.workbooks import clean_file_name
    from data_schema.xlsforms import PUPILS, encode_pupil_list

    for school, country in zip(schools["school_id"], schools["country"], strict=True):
        if pupils.get(school):
            content = encode_pupil_list({school: pupils[school]}, find_catalogue(country))
            yield f"{country}/{clean_file_name(school)}/{PUPILS}", content


def _find_untranslated_places(trial: TrialFolder, asked: Sequence[Table]) -> dict[str, tuple[str, ...]]:
    """Return what the tables have no word for, in the languages of the countries."""
    from data_schema.messages import find_untranslated_places

    catalogues = dict.fromkeys(find_catalogue(country) for country in trial.protocol.countries)
    untold_by_language = {
        catalogue.language.code: tuple(place for table in asked for place in find_untranslated_places(table, catalogue))
        for catalogue in catalogues
    }
    return {language: places for language, places in untold_by_language.items() if places}


def _build_form_table(table: Table, known: Sequence[Mapping[str, str]]) -> FormTable:
    from data_schema.forms import FormTable

    if table.about != "pupil":
        return FormTable(table=table, rows=(), n_blank=5)
    return FormTable(table=table, rows=known, n_blank=30 if known else _BLANK_WITHOUT_LIST)


def _collect_known_pupils(trial: TrialFolder, wave: str) -> dict[str, list[dict[str, str]]]:
    """Return the pupils that are known of each school, as its files list them: in this wave or the last one before."""
    import pandas as pd

    from data_schema.consent import remove_pupils
    from data_schema.personal.names import is_like_name

    if not trial.inbox_files():
        return {}
    names = trial.protocol.wave_names
    frames = read_intake(trial).frames
    if trial.protocol.privacy.refusal == "exclude":
        frames = remove_pupils(frames, find_refusing_pupils(trial, frames) | find_unanswered_pupils(trial, frames))
    frame = pd.concat([frames[name] for name in find_pupil_lists(trial.protocol)], ignore_index=True)
    # A list without waves says who the pupils are whatever the wave.
    frame = frame[frame["wave"].isin(("", *names[: names.index(wave) + 1]))]
    frame = frame.drop_duplicates(["school_id", "pupil_id"], keep="last")
    has_class = "class" in frame.columns
    known: dict[str, list[dict[str, str]]] = {}
    order = ["school_id", *(["class"] if has_class else []), "pupil_id"]
    for row in frame.sort_values(order).to_dict("records"):
        if is_like_name(str(row["pupil_id"]), among_words=False):
            # Somebody wrote a name where an identifier belongs.
            continue
        pupil = {"pupil_id": str(row["pupil_id"])}
        if has_class and isinstance(row["class"], str):
            pupil["class"] = row["class"]
        known.setdefault(str(row["school_id"]), []).append(pupil)
    return known
