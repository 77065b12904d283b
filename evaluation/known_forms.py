"""The XLSForms of a trial, as its protocol and its list of schools make them: intake knows submissions by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from data_schema.xlsforms import FieldForm
from evaluation.frame import select_eligible_schools
from evaluation.mode import mark_of
from evaluation.specifications import find_pupil_lists

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.fields import FilledInBy
    from data_schema.language import Catalogue
    from data_schema.submissions import KnownForm
    from data_schema.tables import Table
    from evaluation.folder import TrialFolder

SENDERS: tuple[FilledInBy, ...] = ("school", "pupil", "partner")
"""Who is sent a form; what evaluators fill in they know themselves."""


_HOW_ASKED: Mapping[FilledInBy, Literal["typed", "chosen", "checked"]] = {
    "school": "chosen",
    # Pupils are shown no identifiers of others.
    "pupil": "checked",
    "partner": "chosen",
}


def build_known_forms(trial: TrialFolder) -> dict[str, KnownForm]:
    """Return the XLSForms of all waves by name, as the protocol and the list of schools make them now."""
    from data_schema.submissions import KnownForm

    schools = select_eligible_schools(trial.schools()[0])
    versions: dict[str, set[str]] = {}
    meant: dict[str, tuple[str, str]] = {}
    for wave in trial.protocol.wave_names:
        asked = list_asked(trial, wave)
        for listed in ((), tuple(schools["school_id"])):
            for _, _, form in yield_xlsforms(trial, wave, asked, schools, listed=listed):
                by_wave = trial.tables[form.table.name].by_wave
                meant[form.name] = (form.table.name, wave if by_wave else "")
                versions.setdefault(form.name, set()).add(form.version)
    return {
        name: KnownForm(table=meant[name][0], wave=meant[name][1], versions=frozenset(form_versions))
        for name, form_versions in versions.items()
    }


def yield_xlsforms(
    trial: TrialFolder, wave: str, asked: Sequence[Table], schools: pd.DataFrame, *, listed: Collection[str]
) -> Iterator[tuple[str, FilledInBy, FieldForm]]:
    """Yield country, sender and XLSForm of each table, with the country's schools to choose from.

    Where pupils of the country are listed, they are chosen from the attached list, or what is typed is checked by it;
    in the lists themselves they are typed.
    """
    for country, mine in schools.groupby("country", sort=True):
        catalogues = tuple(dict.fromkeys([find_catalogue(str(country)), find_catalogue("")]))
        has_list = not set(mine["school_id"]).isdisjoint(listed)
        for sender in SENDERS:
            for table in list_for_sender(asked, sender):
                is_chosen = has_list and table.about == "pupil" and table.name not in find_pupil_lists(trial.protocol)
                yield (
                    str(country),
                    sender,
                    FieldForm(
                        table=table,
                        catalogues=catalogues,
                        form_id=f"{table.name}_{sender}_{wave}_{country}",
                        schools=map_names(mine),
                        mark=mark_of(trial, catalogues[0].language.code),
                        pupils=_HOW_ASKED[sender] if is_chosen else "typed",
                    ),
                )


def list_asked(trial: TrialFolder, wave: str) -> list[Table]:
    """Return the tables that are collected in a wave; those without waves come with the last one."""
    tables = trial.tables
    is_last = wave == trial.protocol.wave_names[-1]
    rules = [rule for rule in trial.protocol.inbox if rule.is_of(wave) or (is_last and not rule.wave)]
    return [tables[name].in_wave(wave) for name in dict.fromkeys(rule.table for rule in rules)]


def list_for_sender(asked: Sequence[Table], sender: FilledInBy) -> list[Table]:
    """Return the tables with those of their fields that a sender fills in; no table without any."""
    return [mine for table in asked if (mine := table.filled_in_by(sender)) is not None]


def map_names(schools: pd.DataFrame) -> dict[str, str]:
    """Return each school's name; "" where the list of schools has none."""
    names = schools["name"].fillna("") if "name" in schools else [""] * len(schools)
    return dict(zip(schools["school_id"], names, strict=True))


def find_catalogue(country: str) -> Catalogue:
    """Return the words of forms in the language of a country; in English for ""."""
    from data_schema.language import Catalogue, Language
    from data_schema.messages import get_language_of_country

    return Catalogue("data_schema", Language(get_language_of_country(country)))
