"""What files and sheets are called outside the inbox where their own names say something of a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from data_schema.findings import Finding
from data_schema.personal.gate import Gate

WITHHELD_NAME = "withheld"
"""How each name that represents another begins."""

_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}")
_SHORT = 8
_OF_FILE = "The name of the file, or of a folder that it is in, may say something of a person; it is called so here."
_RENAME_FILE = "Rename it, without a word about a person; who it is about is in the file."
_OF_SHEET = "The name of the sheet may say something of a person; it is called so here."
_RENAME_SHEET = "Rename the sheet, without a word about a person, and send the file again."
_NAMED = re.compile(rf"{WITHHELD_NAME}-([0-9a-f]{{{_SHORT}}})(?:-\d+)?(?:\.\w+)?")


class StandIns:
    """Names for files and sheets whose own names do not pass the gate.

    A file is called by the beginning of the hash of its content, which finds it again whatever it is called; a folder
    and a sheet are called by their number.

    Parameters
    ----------
    files
        Path below the inbox to the file or its content.
    called
        All paths that anything is reported of, those of files in zipped folders among them.
    digests
        Path to the hash of the content, where it was read.
    sheets
        Path to the names of the sheets of a workbook, in their order.
    gate
        Knows which names say something of a person.
    digest
        Makes the hash of a content.
    """

    def __init__(
        self,
        files: Mapping[str, Path | bytes],
        called: Collection[str],
        digests: Mapping[str, str],
        sheets: Mapping[str, Sequence[str]],
        gate: Gate,
        digest: Callable[[bytes], str],
    ) -> None:
        self._gate, self._digests, self._contents, self._hash = gate, digests, files, digest
        self.files: dict[str, str] = {}
        for path in sorted({*files, *called}):
            shown = self._replace_path(path)
            if shown != path:
                self.files[path] = self._ensure_unique_name(shown)
        self.sheets = {
            (path, name): build_sheet_stand_in(number)
            for path, names in sheets.items()
            for number, name in enumerate(names, start=1)
            if name and gate.kind_of_label(name) is not None
        }

    def file(self, path: str) -> str:
        """Return what a file is called outside the inbox."""
        return self.files.get(path, path)

    def sheet(self, path: str, name: str) -> str:
        """Return what a sheet is called."""
        return self.sheets.get((path, name), name)

    def in_sentence(self, text: str) -> str:
        """Return a sentence that calls files and sheets so, too."""
        for path in sorted(self.files, key=len, reverse=True):
            text = text.replace(path, self.files[path])
        for (_, name), shown in self.sheets.items():
            text = text.replace(repr(name), repr(shown))
        return text

    def findings(self) -> Iterator[Finding]:
        """Ask about each name that does not pass, by the real path: it tells whose file it is."""
        for path in self.files:
            yield Finding(file=path, problem=_OF_FILE, remedy=_RENAME_FILE, severity="question")
        for path, name in self.sheets:
            yield Finding(file=path, sheet=name, problem=_OF_SHEET, remedy=_RENAME_SHEET, severity="question")

    def _replace_path(self, path: str) -> str:
        parts = path.split("/")
        return "/".join(self._replace_path_part(parts, depth) for depth in range(len(parts)))

    def _replace_path_part(self, parts: Sequence[str], at: int) -> str:
        part, path = parts[at], "/".join(parts[: at + 1])
        if self._gate.kind_of_label(part) is None:
            return part
        if path not in self._contents and at < len(parts) - 1:
            return f"{WITHHELD_NAME}-{self._compute_neighbour_number(path)}"
        ending = _ENDING.fullmatch(Path(part).suffix)
        digest = self._get_content_digest(path)
        name = digest[:_SHORT] if digest else self._compute_neighbour_number(path)
        return f"{WITHHELD_NAME}-{name}{ending[0] if ending else ''}"

    def _compute_neighbour_number(self, path: str) -> int:
        """Return the place of a folder, or of what has no content, among its neighbours."""
        folder, depth = path.rpartition("/")[0], path.count("/")
        paths = {"/".join(other.split("/")[: depth + 1]) for other in self._contents}
        beside = sorted(neighbour for neighbour in paths if neighbour.rpartition("/")[0] == folder)
        return 1 + beside.index(path) if path in beside else 0

    def _get_content_digest(self, path: str) -> str:
        if path in self._digests:
            return self._digests[path]
        content = self._contents.get(path, b"")
        if isinstance(content, Path):
            content = content.read_bytes() if content.is_file() else b""
        return self._hash(content) if content else ""

    def _ensure_unique_name(self, shown: str) -> str:
        taken, number, unique_name = set(self.files.values()), 1, shown
        while unique_name in taken:
            number += 1
            stem, dot, ending = shown.rpartition(".") if "." in shown.rpartition("/")[2] else (shown, "", "")
            unique_name = f"{stem}-{number}{dot}{ending}"
        return unique_name


def build_sheet_stand_in(number: int) -> str:
    """Return what the sheet of a number is called where its own name is withheld."""
    return f"{WITHHELD_NAME}-{number}"


def is_stand_in(path: str) -> bool:
    """Whether a part of a path represents another name.

    Examples
    --------
    >>> is_stand_in("baseline/withheld-0a1b2c3d.csv"), is_stand_in("baseline/HU/pupil_031201.csv")
    (True, False)
    """
    return any(part.startswith(f"{WITHHELD_NAME}-") for part in path.split("/"))


def is_stand_in_for(path: str, sha256: str) -> bool:
    """Whether a path calls the file of a content.

    Examples
    --------
    >>> is_stand_in_for("baseline/withheld-0a1b2c3d.csv", "0a1b2c3d" + 56 * "0")
    True
    """
    match = _NAMED.fullmatch(path.rpartition("/")[2])
    return match is not None and sha256.startswith(match[1])
