"""What the pages about data share: their words, and what they call tables, waves, fields and countries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data_schema.messages import get_field_label, get_table_label, translate_country_name, translate_sentence
from data_schema.tables import Table
from reports.words import Words, words


def get_data_words(language: str) -> Words:
    """Return the words of a language for pages about data: those of ``data_schema``, which schools read too."""
    return words(language, package="data_schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a trial's tables, waves, fields and countries are called in one language.

    Parameters
    ----------
    words
        The language.
    tables
        The trial's tables, by name.
    waves
        Name of a wave to its label, as the protocol states it.
    countries
        Code of a country to its name, as the protocol states it.
    """

    words: Words
    tables: Mapping[str, Table]
    waves: Mapping[str, str]
    countries: Mapping[str, str]

    def table(self, name: str) -> str:
        """Return what a table is called."""
        table = self.tables.get(name)
        return get_table_label(table, self.words.catalogue) if table else name

    def wave(self, name: str) -> str:
        """Return what a wave is called."""
        return translate_sentence(self.waves.get(name, name), self.words.catalogue)

    def field(self, table: str, name: str) -> str:
        """Return what a field of a table is called; its header where the table has no such field."""
        home = self.tables.get(table)
        if home is None or name not in home.names:
            return name
        return get_field_label(home.field(name), self.words.catalogue, about=home.about)

    def country(self, code: str) -> str:
        """Return what a country is called."""
        return translate_country_name(code, self.countries.get(code, code), self.words.catalogue)

    def table_and_wave(self, table: str, wave: str) -> str:
        """Return "Pupils, Baseline", or the table alone where it has no waves."""
        if not wave:
            return self.table(table)
        return self.words.text("{table}, {wave}", table=self.table(table), wave=self.wave(wave))
