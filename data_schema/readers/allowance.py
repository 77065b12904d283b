"""How much memory, time and files the process that reads a file may use, where the platform can hold it to that.

Linux holds it to all of them, macOS to time and files; on Windows, time is kept by the process that waits, and memory
by the limits of the readers alone (`data_schema.readers.limits`).
"""

from __future__ import annotations

import gc
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.readers.statistics import is_spss, is_stata

if TYPE_CHECKING:
    import types

try:
    import resource as _resource
except ImportError:  # Windows has no such limits
    resource: types.ModuleType | None = None
else:
    resource = _resource

_MEMORY, _MEMORY_PER_BYTE, _MEMORY_PER_CODED_BYTE = 192_000_000, 32, 128
_SECONDS, _SECONDS_PER_BYTE = 30, 3e-6
_WAIT = 4
_N_FILES = 32
_PAGES = Path("/proc/self/statm")


def compute_memory_allowance(content: bytes) -> int:
    """Return how many bytes of memory reading a content may take.

    A cell of text takes some sixty bytes of memory and two or more of a file; in files of statistics programs a value
    can be a single byte.
    """
    is_coded = is_spss(content) or is_stata(content)
    return _MEMORY + len(content) * (_MEMORY_PER_CODED_BYTE if is_coded else _MEMORY_PER_BYTE)


def compute_seconds_allowance(n_bytes: int) -> int:
    """Return how many seconds of a processor reading a content may take: five times what large files do."""
    return int(_SECONDS + n_bytes * _SECONDS_PER_BYTE)


def compute_patience(n_bytes: int) -> int:
    """Return how many seconds to wait for a content to be read, on a machine that does much else."""
    return _WAIT * compute_seconds_allowance(n_bytes)


def set_process_limits() -> None:
    """Keep this process from opening many files, writing any, and being stopped by a key that is meant for another."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if resource is not None:
        _set_limit("RLIMIT_NOFILE", _N_FILES)
        _set_limit("RLIMIT_FSIZE", 0)
        _set_limit("RLIMIT_CORE", 0)


def apply_limits(content: bytes) -> None:
    """Set limits of memory and time for one content."""
    # Millions of cells, none of which is garbage.
    gc.disable()
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _set_limit("RLIMIT_CPU", int(used.ru_utime + used.ru_stime) + compute_seconds_allowance(len(content)) + 1)
    if _PAGES.exists():
        size = int(_PAGES.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _set_limit("RLIMIT_AS", size + compute_memory_allowance(content))


def remove_limits() -> None:
    """Lift the limits of memory and time."""
    if resource is not None:
        _set_limit("RLIMIT_CPU", None)
        _set_limit("RLIMIT_AS", None)
    gc.enable()


def _set_limit(name: str, value: int | None) -> None:
    """Set a limit that can be lifted again; do nothing where the platform refuses it."""
    if resource is None:
        return
    kind = getattr(resource, name)
    _, most = resource.getrlimit(kind)
    wanted = most if value is None else value
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (wanted, most))
