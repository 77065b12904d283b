"""What the pages about data share: their words, and what they call tables, waves, fields and countries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data_schema.messages import country_in, label_in, translated
from data_schema.tables import Table
from reports.words import Words, words


def data_words(language: str) -> Words:
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
        return translated((table.label or table.name) if table else name, self.words.catalogue)

    def wave(self, name: str) -> str:
        """Return what a wave is called."""
        return translated(self.waves.get(name, name), self.words.catalogue)

    def field(self, table: str, name: str) -> str:
        """Return what a field of a table is called; its header where the table has no such field."""
        home = self.tables.get(table)
        if home is None or name not in home.names:
            return name
        return label_in(home.field(name), self.words.catalogue, about=home.about)

    def country(self, code: str) -> str:
        """Return what a country is called."""
        return country_in(code, self.countries.get(code, code), self.words.catalogue)

    def table_and_wave(self, table: str, wave: str) -> str:
        """Return "Pupils, Baseline", or the table alone where it has no waves."""
        if not wave:
            return self.table(table)
        return self.words.text("{table}, {wave}", table=self.table(table), wave=self.wave(wave))
