"""What schools and partners are asked to fill in: workbooks with their own pupils or schools, and XLSForms."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_schema.errors import ProtocolError
from data_schema.files import storage_error, write_whole
from data_schema.xlsforms import FieldForm
from evaluation.consent import refused_of, unanswered_of
from evaluation.frame import eligible
from evaluation.guarded_files import FORMS, keep_in_private
from evaluation.mode import mark_of
from evaluation.provenance import ignore_itself
from evaluation.specifications import lists_of_pupils, tables_of
from evaluation.trial_log import Event, append_event, product_folder

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.fields import FilledInBy
    from data_schema.forms import FormTable
    from data_schema.language import Catalogue
    from data_schema.submissions import KnownForm
    from data_schema.tables import Table
    from evaluation.trial import Trial

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
        return others | {name: [str(path) for path in found] for name, found in paths.items()}


def write_forms(trial: Trial, *, wave: str, to: Path | None = None) -> Forms:
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
    asked = _asked(trial, wave)
    schools = eligible(trial.schools()[0])
    top, public = f"{FORMS}{wave}/", trial.paths.root / "output" / "forms" / wave
    ignore_itself(trial.paths.private)
    pupils = _pupils(trial, wave)
    made = {**dict(_for_schools(trial, asked, schools, pupils, wave=wave)), **dict(_lists(schools, pupils))}
    keep_in_private(trial, top, made)
    with product_folder(trial, public) as folder:
        _write_for_partners(trial, folder, asked, schools, wave=wave)
        for country, sender, form in _xlsforms(trial, wave, asked, schools, listed=frozenset(pupils)):
            write_whole(folder / country / f"{form.table.name}_{sender}.xlsx", form.workbook())
    if to is not None:
        _hand_out(trial, made, wave=wave, to=to)
    partners = sorted(public.glob(f"*/{_PARTNER}"))
    return Forms(
        workbooks=tuple(trial.paths.root / top / name for name in sorted(made) if name.endswith(".xlsx")),
        lists=tuple(trial.paths.root / top / name for name in sorted(made) if name.endswith(".csv")),
        partners=tuple(partners),
        xlsforms=tuple(sorted(set(public.glob("*/*.xlsx")) - set(partners))),
        untold=_untold(trial, asked),
        handed_out=to,
    )


def _refuse_place(trial: Trial, to: Path) -> None:
    """Refuse a folder in which copies would stay in the trial, or among other files."""
    if to.resolve().is_relative_to(trial.paths.root.resolve()):
        problem = "it is in the trial's folder, where what tells who is who is sealed."
        raise ProtocolError("--to", problem, "Name a new folder elsewhere, from which they are sent.")
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise ProtocolError("--to", "there is something in its place.", "Name a new folder.")


def _hand_out(trial: Trial, made: Mapping[str, bytes], *, wave: str, to: Path) -> None:
    """Give forms of schools out of the trial's custody: the line of the log is there before they are."""
    append_event(trial, Event.HANDED_OUT, {"forms": wave, "n_files": str(len(made))})
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in made.items():
            write_whole(to / name, content, mode=0o600)
    except OSError as error:
        raise storage_error(to, error) from error


_PARTNER = "partner.xlsx"


def _asked(trial: Trial, wave: str) -> list[Table]:
    """Return the tables that are collected in a wave; those without waves come with the last one."""
    tables = tables_of(trial.protocol)
    is_last = wave == trial.protocol.wave_names[-1]
    rules = [rule for rule in trial.protocol.inbox if rule.is_of(wave) or (is_last and not rule.wave)]
    return [tables[name].in_wave(wave) for name in dict.fromkeys(rule.table for rule in rules)]


def _of_sender(asked: Sequence[Table], sender: FilledInBy) -> list[Table]:
    return [mine for table in asked if (mine := table.filled_in_by(sender)) is not None]


def _label_of(trial: Trial, wave: str, catalogue: Catalogue) -> str:
    from data_schema.messages import translated

    label = translated(next(one.label for one in trial.protocol.waves if one.name == wave), catalogue)
    mark = mark_of(trial, catalogue.language.code)
    return f"{label} · {mark}" if mark else label


def _for_schools(
    trial: Trial,
    asked: list[Table],
    schools: pd.DataFrame,
    pupils: Mapping[str, Sequence[Mapping[str, str]]],
    *,
    wave: str,
) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each school's entry workbook."""
    from data_schema.forms import Recipient, entry_workbook
    from data_schema.workbooks import file_name

    tables, names = _of_sender(asked, "school"), _names(schools)
    pairs = list(zip(schools["school_id"], schools["country"], strict=True)) if tables else []
    for done, (school, country) in enumerate(pairs):
        trial.progress("Writing forms", done, len(pairs))
        catalogue = _catalogue(country)
        content = entry_workbook(
            [_form(table, pupils.get(school, [])) for table in tables],
            recipient=Recipient(school=school, title=f"{names[school]} ({school})" if names[school] else school),
            wave=wave,
            wave_label=_label_of(trial, wave, catalogue),
            catalogue=catalogue,
        )
        yield f"{country}/{file_name(school)}.xlsx", content
    trial.progress("Writing forms", len(pairs), len(pairs))


def _write_for_partners(trial: Trial, folder: Path, asked: list[Table], schools: pd.DataFrame, *, wave: str) -> None:
    """Write a workbook for each country's partner, with the country's schools in it."""
    from data_schema.forms import FormTable, Recipient, entry_workbook
    from data_schema.messages import country_in

    tables = _of_sender(asked, "partner")
    for country, mine in schools.groupby("country", sort=True) if tables else ():
        catalogue, names = _catalogue(str(country)), _names(mine)
        rows = [{"school_id": school} for school in names]
        content = entry_workbook(
            [
                FormTable(table=table, rows=rows, n_blank=0)
                if table.key == ("school_id",)
                else FormTable(table=table, n_blank=_BLANK_A_SCHOOL * len(names))
                for table in tables
            ],
            recipient=Recipient(
                title=country_in(str(country), trial.protocol.countries[str(country)], catalogue), schools=names
            ),
            wave=wave,
            wave_label=_label_of(trial, wave, catalogue),
            catalogue=catalogue,
        )
        write_whole(folder / str(country) / _PARTNER, content)


def _lists(schools: pd.DataFrame, pupils: Mapping[str, Sequence[Mapping[str, str]]]) -> Iterator[tuple[str, bytes]]:
    """Yield the list that a school's XLSForms choose from: identifiers and classes of its own pupils, no names."""
    from data_schema.workbooks import file_name
    from data_schema.xlsforms import PUPILS, pupil_list

    for school, country in zip(schools["school_id"], schools["country"], strict=True):
        if pupils.get(school):
            content = pupil_list({school: pupils[school]}, _catalogue(country))
            yield f"{country}/{file_name(school)}/{PUPILS}", content


def _xlsforms(
    trial: Trial, wave: str, asked: Sequence[Table], schools: pd.DataFrame, *, listed: Collection[str]
) -> Iterator[tuple[str, FilledInBy, FieldForm]]:
    """Yield country, sender and XLSForm of each table, with the country's schools to choose from.

    Where pupils of the country are listed, they are chosen from the attached list, or what is typed is checked by it;
    in the lists themselves they are typed.
    """
    for country, mine in schools.groupby("country", sort=True):
        catalogues = tuple(dict.fromkeys([_catalogue(str(country)), _catalogue("")]))
        has_list = not set(mine["school_id"]).isdisjoint(listed)
        for sender in SENDERS:
            for table in _of_sender(asked, sender):
                is_chosen = has_list and table.about == "pupil" and table.name not in lists_of_pupils(trial.protocol)
                yield (
                    str(country),
                    sender,
                    FieldForm(
                        table=table,
                        catalogues=catalogues,
                        form_id=f"{table.name}_{sender}_{wave}_{country}",
                        schools=_names(mine),
                        mark=mark_of(trial, catalogues[0].language.code),
                        pupils=_HOW_ASKED[sender] if is_chosen else "typed",
                    ),
                )


def known_forms(trial: Trial) -> dict[str, KnownForm]:
    """Return the XLSForms of all waves by name, as the protocol and the list of schools make them now."""
    from data_schema.submissions import KnownForm

    schools = eligible(trial.schools()[0])
    versions: dict[str, set[str]] = {}
    meant: dict[str, tuple[str, str]] = {}
    for wave in trial.protocol.wave_names:
        asked = _asked(trial, wave)
        for listed in ((), tuple(schools["school_id"])):
            for _, _, form in _xlsforms(trial, wave, asked, schools, listed=listed):
                by_wave = tables_of(trial.protocol)[form.table.name].by_wave
                meant[form.name] = (form.table.name, wave if by_wave else "")
                versions.setdefault(form.name, set()).add(form.version)
    return {
        name: KnownForm(table=meant[name][0], wave=meant[name][1], versions=frozenset(found))
        for name, found in versions.items()
    }


_HOW_ASKED: Mapping[FilledInBy, Literal["typed", "chosen", "checked"]] = {
    "school": "chosen",
    # Pupils are shown no identifiers of others.
    "pupil": "checked",
    "partner": "chosen",
}

SENDERS: tuple[FilledInBy, ...] = ("school", "pupil", "partner")
"""Who is sent a form; what evaluators fill in they know themselves."""


def _names(schools: pd.DataFrame) -> dict[str, str]:
    names = schools["name"].fillna("") if "name" in schools else [""] * len(schools)
    return dict(zip(schools["school_id"], names, strict=True))


def _untold(trial: Trial, asked: Sequence[Table]) -> dict[str, tuple[str, ...]]:
    """Return what the tables have no word for, in the languages of the countries."""
    from data_schema.messages import untold

    catalogues = dict.fromkeys(_catalogue(country) for country in trial.protocol.countries)
    found = {one.language.code: tuple(place for table in asked for place in untold(table, one)) for one in catalogues}
    return {language: places for language, places in found.items() if places}


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
    import pandas as pd

    from data_schema.consent import without_pupils
    from data_schema.personal.names import looks_like_name
    from evaluation.stages.collect import taken_in

    if not trial.inbox_files():
        return {}
    names = trial.protocol.wave_names
    frames = taken_in(trial).frames
    if trial.protocol.privacy.refusal == "exclude":
        frames = without_pupils(frames, refused_of(trial, frames) | unanswered_of(trial, frames))
    frame = pd.concat([frames[name] for name in lists_of_pupils(trial.protocol)], ignore_index=True)
    # A list without waves says who the pupils are whatever the wave.
    frame = frame[frame["wave"].isin(("", *names[: names.index(wave) + 1]))]
    frame = frame.drop_duplicates(["school_id", "pupil_id"], keep="last")
    has_class = "class" in frame.columns
    known: dict[str, list[dict[str, str]]] = {}
    order = ["school_id", *(["class"] if has_class else []), "pupil_id"]
    for row in frame.sort_values(order).to_dict("records"):
        if looks_like_name(str(row["pupil_id"]), among_words=False):
            # Somebody wrote a name where an identifier belongs.
            continue
        pupil = {"pupil_id": str(row["pupil_id"])}
        if has_class and isinstance(row["class"], str):
            pupil["class"] = row["class"]
        known.setdefault(str(row["school_id"]), []).append(pupil)
    return known
