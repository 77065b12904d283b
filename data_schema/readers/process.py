"""Files from outside are opened in a process of their own, which may fail without harm to anything else.

It is started once and kept warm: to start one takes as long as to read ten files. It is sent contents and answers with
cells; when it stops, answers nonsense or takes too long, that is a finding about the file, and a new one takes its
place.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, Self

from data_schema.errors import StorageError
from data_schema.findings import Finding
from data_schema.readers import allowance, worker
from data_schema.readers.archives import Member
from data_schema.readers.crossing import END, Frame, parse_reading
from data_schema.readers.files import content_of
from data_schema.readers.sheets import Reading, refuse_file

_ZIP = b"PK"
_LARGE = 20_000_000
_DAMAGED = "It is damaged: the program that reads such files cannot make sense of it."
_REMEDY = "Save it as 'CSV UTF-8' or as .xlsx and send it again."
_START = "import sys; sys.path[:] = {path!r}; from data_schema.readers.worker import main; main()"


class LostError(Exception):
    """There is no answer about a content; says why, as a sentence about the file."""


class ReaderProcess:
    """The process and the pipes to it; started when it is needed first, and again after it was lost."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.RLock()
        self._number = 0

    @property
    def number(self) -> int:
        """Number of the process that answers now: another one does not know what an earlier one received."""
        with self._lock:
            self._ensure_running()
            return self._number

    def ask(self, do: str, content: bytes = b"", **values: object) -> Iterator[Frame]:
        """Yield the frames of an answer; the last one is of the kind `END` or `worker.BYTES`.

        Raises
        ------
        LostError
            When there is none, or no whole one.
        """
        with self._lock:
            process = self._ensure_running()
            is_late = threading.Event()
            watch = threading.Timer(allowance.compute_patience(len(content)), _mark_late_and_kill, (process, is_late))
            watch.daemon = True
            watch.start()
            is_whole = False
            try:
                _send(_require_pipe(process.stdin), {"do": do, **values}, content)
                for kind, part in worker.frames(_require_pipe(process.stdout)):
                    is_whole = kind in (END, worker.BYTES)
                    if kind == worker.FAILED:
                        is_whole = part != worker.MEMORY
                        raise LostError(_describe_failure(part))
                    yield kind, part
                    if is_whole:
                        break
            except (OSError, EOFError) as error:
                raise LostError(_describe_stop(process, is_late=is_late.is_set())) from error
            finally:
                watch.cancel()
                if not is_whole or len(content) > _LARGE:
                    # What is left of a broken answer would be taken for the next one, and memory is given back.
                    self.stop()
            if not is_whole:
                raise LostError(_describe_stop(process, is_late=is_late.is_set()))

    def stop(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close(stream)
        process.wait()

    def interrupt(self) -> None:
        """End the process, whoever waits for its answer: they are told that there is none."""
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()

    def _ensure_running(self) -> subprocess.Popen[bytes]:
        """Return the process; a new one where it was lost, or belongs to the process that this one was copied from."""
        if self._owner != os.getpid():
            self._process = None
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            self._process = _open_process()
            self._owner = os.getpid()
            self._number += 1
        return self._process


def _open_process() -> subprocess.Popen[bytes]:
    path = [os.path.abspath(part or ".") for part in sys.path]  # noqa: PTH100 -- a path need not be a folder
    process = subprocess.Popen(  # noqa: S603 -- this interpreter, and no word from outside
        [sys.executable, "-I", "-c", _START.format(path=path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # No folder of anybody's is kept from being moved.
        cwd=Path(sys.executable).anchor,
        # One thread of numerical libraries: each takes memory.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    if next(worker.frames(_require_pipe(process.stdout)), None) is None:
        process.kill()
        raise StorageError(
            sys.executable,
            f"the process that reads files could not be started (it ended with {process.wait()}).",
            "Close other programs to free memory, and run the same command again.",
        )
    return process


def _require_pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise LostError(_DAMAGED)
    return pipe


def _send(stream: IO[bytes], request: dict[str, object], content: bytes) -> None:
    for part in (json.dumps(request).encode(), content):
        stream.write(worker.LENGTH.pack(worker.REQUEST, len(part)))
        stream.write(part)
    stream.flush()


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError:
        # What was still to be written has nobody to read it.
        return


def _mark_late_and_kill(process: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    is_late.set()
    process.kill()


def _describe_failure(reason: bytes) -> str:
    return "To read it takes far more memory than a file of its size needs." if reason == worker.MEMORY else _DAMAGED


def _describe_stop(process: subprocess.Popen[bytes], *, is_late: bool) -> str:
    code = process.wait()
    if is_late or (hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU):
        return "To read it takes far longer than a file of its size needs."
    return "It is damaged: the program that reads such files stopped."


@cache
def _get_reader() -> ReaderProcess:
    """Return the one process of this program."""
    reader_process = ReaderProcess()
    atexit.register(reader_process.stop)
    return reader_process


def read_file(source: Path | bytes, *, file: str, countries: Collection[str] = ()) -> Reading:
    """Read a text file with separators, a workbook, or a file of a statistics program.

    Parameters
    ----------
    source
        The file, or its content.
    file
        What findings call it.
    countries
        Codes of the countries whose letters a CSV file may hold, where it is not in Unicode; all known ones when empty.

    Returns
    -------
    Reading
        Its sheets; or a finding that says why it cannot be read, whatever is in it.
    """
    content = content_of(source, file=file)
    if isinstance(content, Reading):
        return content
    return _answer(_get_reader(), Request(file, content, tuple(sorted(countries))))


@dataclass(frozen=True, slots=True)
class Request:
    """What `read_file` is asked for."""

    file: str
    content: bytes
    countries: tuple[str, ...] = ()


class ReadAhead:
    """Answers as `read_file` does, and reads the files that will be asked for next in processes beside this one.

    Parameters
    ----------
    coming
        What will be asked for, in this order. A guess that turns out wrong costs time, and changes no answer.
    n_processes
        How many read at once.
    """

    def __init__(self, coming: Iterable[Request], *, n_processes: int) -> None:
        self._coming = iter(coming)
        self._n_ahead = 2 * n_processes
        self._ahead: dict[str, tuple[Request, Future[Reading]]] = {}
        self._own = threading.local()
        self._readers: list[ReaderProcess] = []
        self._pool = ThreadPoolExecutor(max_workers=n_processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            # Nobody is kept waiting by a file that nobody needs any more.
            reader.interrupt()
        self._pool.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.stop()

    def __call__(self, content: bytes, *, file: str, countries: Collection[str] = ()) -> Reading:
        """Read a file; see `read_file`."""
        for request in islice(self._coming, max(0, self._n_ahead - len(self._ahead))):
            self._ahead[request.file] = request, self._pool.submit(self._read, request)
        asked = Request(file, content, tuple(countries))
        expected, reading = self._ahead.get(file, (None, None))
        if reading is None or expected != asked:
            return _answer(_get_reader(), asked)
        # Those before it are asked for no more.
        for name in list(takewhile(lambda name: name != file, self._ahead)):
            del self._ahead[name]
        del self._ahead[file]
        return reading.result()

    def _read(self, request: Request) -> Reading:
        reader: ReaderProcess | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = ReaderProcess()
            self._readers.append(reader)
        return _answer(reader, request)


def _answer(reader: ReaderProcess, request: Request) -> Reading:
    file, countries = request.file, list(request.countries)
    try:
        return parse_reading(reader.ask("read", request.content, file=file, countries=countries))
    except LostError as error:
        return refuse_file(file, str(error), _REMEDY)
    except (ValueError, KeyError, TypeError):
        return refuse_file(file, _DAMAGED, _REMEDY)


def names_sheet(content: bytes, name: str) -> bool:
    """Whether a file is a workbook that lists a sheet of this name, as it was or saved by another program."""
    return content.startswith(_ZIP) and _is_said("names_sheet", content, name=name)


def is_folder(content: bytes) -> bool:
    """Whether bytes are a zipped folder, and not a workbook or something damaged."""
    return content.startswith(_ZIP) and _is_said("is_folder", content)


def _is_said(do: str, content: bytes, **values: object) -> bool:
    try:
        return [json.loads(part) for _, part in _get_reader().ask(do, content, **values)] == [True]
    except LostError:
        # Whoever reads it as another kind of file reports what is wrong with it.
        return False


def members(content: bytes, *, file: str) -> Iterator[Member]:
    """Unpack a zipped folder in memory, one file at a time; nothing is written anywhere.

    Parameters
    ----------
    content
        The archive; see `is_folder`.
    file
        What findings call it.

    Yields
    ------
    Member
        Each file, by name, without what operating systems leave behind. One member without a name, with a finding,
        when the archive as a whole is refused: too many files, or too much when unpacked.
    """
    try:
        names, refusal = _open_archive(content, file)
    except LostError as error:
        names, refusal = [], refuse_file(file, str(error), "Pack the folder anew and send it again.").findings[0]
    if refusal is not None:
        yield Member(name="", content=refusal)
    number = _get_reader().number
    for index, name in enumerate(names):
        try:
            if _get_reader().number != number:
                _open_archive(content, file)
                number = _get_reader().number
            yield Member(name=name, content=_extract_file(index))
        except LostError as error:
            (finding,) = refuse_file(f"{file}/{name}", str(error), "Unpack it and send the files in it.").findings
            yield Member(name=name, content=finding)


def _open_archive(content: bytes, file: str) -> tuple[list[str], Finding | None]:
    ((_, answer),) = _get_reader().ask("open_folder", content, file=file)
    opened_folder = json.loads(answer)
    return opened_folder["names"], Finding(**opened_folder["refusal"]) if opened_folder["refusal"] else None


def _extract_file(at: int) -> bytes | Finding:
    ((kind, content),) = _get_reader().ask("unpack", at=at)
    return content if kind == worker.BYTES else Finding(**json.loads(content))
