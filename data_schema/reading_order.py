"""In which order the files of an inbox are read, in which countries' letters, and findings about whole files."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from data_schema.findings import Finding, Severity
from data_schema.readers import Reading, Request, content_of
from data_schema.readers.files import is_backup, is_left_behind

_HEAD = 2_000_000
_LARGEST_AHEAD = 20_000_000
"""Bytes of the largest file that is read before it is asked for: it is in memory together with others."""

_WORTH_IT = 1_000_000
"""Bytes of files from which on more than one process reads them: to start one takes as long as to read ten."""


def find_country_in_path(file: str, countries: Collection[str]) -> str:
    """Return the country that a folder of the path is named for; "" for none."""
    known = {country.casefold(): country for country in countries}
    return next((known[part.casefold()] for part in file.split("/")[:-1] if part.casefold() in known), "")


def infer_countries(content: bytes, country: str, schools: Mapping[str, str]) -> list[str]:
    """Return countries whose letters the file may hold, told by its path or by the schools that it names."""
    if country:
        return [country]
    # The beginning tells enough; a text without foreign letters tells nothing, and need not.
    head = b"" if content.isascii() else content[:_HEAD]
    named = {of for school, of in schools.items() if school.encode() in head}
    return sorted(named or set(schools.values()))


def iterate_requests(
    files: Mapping[str, Path | bytes], *, schools: Mapping[str, str], is_ruled: Callable[[str], bool]
) -> Iterator[Request]:
    """Yield what is asked for when files are read by name, but for large files and folders; nothing for few files.

    Parameters
    ----------
    files
        Path below the inbox to the file or its content.
    schools
        `school_id` to country.
    is_ruled
        Whether a rule speaks of a file; others may be forms, which are read in any letters.
    """
    sizes = {file: _measure_size(source) for file, source in files.items() if isinstance(source, Path)}
    likely = {file for file, size in sizes.items() if size <= _LARGEST_AHEAD and not file.casefold().endswith(".zip")}
    if sum(sizes[file] for file in likely) < _WORTH_IT:
        return
    for file in sorted(likely):
        content = content_of(files[file], file=file)
        if isinstance(content, bytes):
            countries = (
                infer_countries(content, find_country_in_path(file, schools.values()), schools)
                if is_ruled(file)
                else ()
            )
            yield Request(file, content, tuple(countries))


def _measure_size(source: Path) -> float:
    """Return the bytes of a file; infinitely many if it is none or cannot be read, which is reported in its turn."""
    try:
        file_status = source.stat()
    except OSError:
        return math.inf
    # What is no file may keep its reader waiting.
    return file_status.st_size if stat.S_ISREG(file_status.st_mode) else math.inf


def about(file: str, problem: str, remedy: str, *, sheet: str = "", severity: Severity = "refused") -> Finding:
    """Return a finding about a whole file or sheet."""
    return Finding(file=file, sheet=sheet, problem=problem, remedy=remedy, severity=severity)


def is_word_in_content(content: bytes | Reading, word: str) -> bool:
    """Return whether a file that is not opened yet has a word in its bytes."""
    return isinstance(content, bytes) and word.encode() in content


def build_unmatched_finding(file: str) -> Finding:
    """Return the finding about a file that no rule is of."""
    if is_left_behind(file):
        return about(file, "A program left it behind; it is not read.", "Nothing.", severity="note")
    if is_backup(file):
        problem = "By its name it is a copy that a program keeps, or a file that is not whole; it is not read."
        return about(file, problem, "Remove it; or give it its own name, if it is what was meant.", severity="question")
    problem = "It is in the inbox, but no rule says what it is; it is not read."
    return about(file, problem, "Correct its name or its folder, or add a rule to the protocol.", severity="question")


def build_nested_folder_finding(file: str) -> Finding:
    """Return the finding about a zipped folder within another."""
    return about(file, "It is a zipped folder within a zipped folder.", "Unpack it and send the files in it.")
