"""The process that opens files from outside: it has no rights but to read what it is sent and to answer.

It is started by `data_schema.readers.process`, which sends contents, never paths. Whatever a file does to it, a signal
of the operating system included, ends this process and no other.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import IO

from data_schema.findings import Finding
from data_schema.readers import allowance
from data_schema.readers.archives import Folder, is_folder, names_sheet
from data_schema.readers.crossing import END, Frame, iterate_frames
from data_schema.readers.files import read_content

FAILED, BYTES = b"x", b"b"
"""Kinds of frames beside those of `crossing`: why there is no answer, the content of a file in a zipped folder."""

LENGTH = struct.Struct(">cQ")
"""Before each frame: its kind and its length."""

MEMORY = b"memory"
"""What is said of a file that needs more memory than it may have."""

REQUEST = b"q"

_LONGEST = 1 << 31


def frames(stream: IO[bytes]) -> Iterator[Frame]:
    """Yield the frames of a stream until it ends.

    Raises
    ------
    EOFError
        When it ends within a frame, or what should be one is too long to be.
    """
    while head := stream.read(LENGTH.size):
        if len(head) < LENGTH.size:
            raise EOFError
        kind, length = LENGTH.unpack(head)
        if length > _LONGEST:
            raise EOFError
        content = stream.read(length)
        if len(content) < length:
            raise EOFError
        yield kind, content


def write_frame(stream: IO[bytes], kind: bytes, content: bytes) -> None:
    """Write a frame to a stream."""
    stream.write(LENGTH.pack(kind, len(content)))
    stream.write(content)


class Worker:
    """Answers requests; remembers the zipped folder that was opened last."""

    def __init__(self) -> None:
        self._folder: Folder | None = None
        self._answers: Mapping[str, Callable[..., Iterator[Frame]]] = {
            "read": self._read,
            "names_sheet": self._check_names_sheet,
            "is_folder": self._is_folder,
            "open_folder": self._open_folder,
            "unpack": self._send_unpacked,
        }

    def answer(self, request: bytes, content: bytes) -> Iterator[Frame]:
        """Yield the frames of the answer to a request: a JSON object with "do" and the arguments of what is to be done.

        Whatever goes wrong is a frame too, the last one.
        """
        try:
            values = json.loads(request)
            yield from self._answers[values.pop("do")](content, **values)
        except MemoryError:
            yield FAILED, MEMORY
        except Exception as error:  # noqa: BLE001 -- whatever a file does to a reader is a finding about the file
            yield FAILED, type(error).__name__.encode()

    def _read(self, content: bytes, *, file: str, countries: list[str]) -> Iterator[Frame]:
        yield from iterate_frames(read_content(content, file=file, countries=countries))

    def _check_names_sheet(self, content: bytes, *, name: str) -> Iterator[Frame]:
        yield END, json.dumps(names_sheet(content, name)).encode()

    def _is_folder(self, content: bytes) -> Iterator[Frame]:
        yield END, json.dumps(is_folder(content)).encode()

    def _open_folder(self, content: bytes, *, file: str) -> Iterator[Frame]:
        self._folder = Folder(content, file=file)
        refusal = self._folder.refusal
        names = [] if refusal else self._folder.names
        yield END, json.dumps({"names": names, "refusal": asdict(refusal) if refusal else None}).encode()

    def _send_unpacked(self, _content: bytes, *, at: int) -> Iterator[Frame]:
        if self._folder is None:
            raise LookupError
        unpacked = self._folder.unpacked(at)
        if isinstance(unpacked, Finding):
            yield END, json.dumps(asdict(unpacked)).encode()
        else:
            yield BYTES, unpacked


def main() -> None:
    """Answer requests from standard input on standard output until the former ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a library prints must not stand among the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.dont_write_bytecode = True
    allowance.set_process_limits()
    worker = Worker()
    write_frame(answers, END, b"")
    answers.flush()
    incoming = frames(requests)
    # Whoever started this process may be gone, in the middle of a request or of its answer.
    with suppress(EOFError, BrokenPipeError):
        for (_, request), (_, content) in zip(incoming, incoming, strict=False):
            allowance.apply_limits(content)
            for kind, part in worker.answer(request, content):
                write_frame(answers, kind, part)
            del content
            answers.flush()
            allowance.remove_limits()
    # A pipe that nobody reads cannot be flushed: leave without trying to.
    os._exit(0)
