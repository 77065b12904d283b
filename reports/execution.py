"""Running a notebook template with its parameters.

Each run has a process of its own: a fork of this one where the platform has it (so that what is imported already need
not be imported again), a new interpreter elsewhere. In that process papermill runs the cells by ``reports.engine``;
the result comes back as text and is written here, whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from data_schema.errors import CrocoosError, ReportError
from data_schema.files import build_storage_error, write_whole

if TYPE_CHECKING:
    from nbformat import NotebookNode

_SECONDS_TO_END = 5.0
"""How long a child that has answered may take to end: a notebook's own threads may hold it up."""

_FRESH = """
import json, sys
request = json.load(sys.stdin)
sys.path[:] = request.pop("path")
from reports.execution import answer_request
answer_request(request)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a run's process says: the executed notebook, or which cell failed and how.

    ``raised`` is the error as JSON where it is one of the toolkit's own, with place, problem and remedy.
    """

    notebook: str = ""
    cell: int = 0
    n_cells: int = 0
    begins: str = ""
    error: str = ""
    raised: str = ""


def run_notebook(
    template: Path,
    output: Path,
    *,
    parameters: Mapping[str, str],
    working_folder: Path | None = None,
    notice: str = "",
    limit_seconds: float = 900.0,
    process: Literal["automatic", "fork", "new"] = "automatic",
) -> None:
    """Run a notebook with parameters and write it, executed, under another name.

    The output holds no times, no paths of this machine and no random ids: the same template, parameters and results
    give the same bytes.

    Parameters
    ----------
    template
        The notebook to run; it is not changed. Its parameters are the variables of the cell tagged "parameters".
    output
        Where the executed notebook goes; written in one step after the last cell went well.
    parameters
        Values for the template's parameters. Those not named keep the template's value.
    working_folder
        Where the cells run, so that relative paths in ``parameters`` start there; this process's own when None.
    notice
        Text (Markdown) of a cell above all others; none when empty.
    limit_seconds
        A run that takes longer is stopped.
    process
        Where the cells run: a fork of this process, a new interpreter, or, by default, a fork where that is safe
        (Linux).

    Raises
    ------
    ReportError
        When the template cannot be read, has no such parameter, or a cell fails or takes too long. No output is
        written then, and an earlier one stays as it was.
    CrocoosError
        Of the branch that a cell raised, with its own place, problem and remedy; a note names the cell.
    StorageError
        When the output cannot be written.
    """
    if working_folder is not None and not working_folder.is_dir():
        raise ReportError(str(working_folder), "there is no such folder to run the notebook in.", "Check the path.")
    notebook = read_notebook(template)
    _check_parameters(template, notebook, parameters)
    if notice:
        notebook.cells.insert(0, _create_text_cell(notice))
    request = {
        "template": format_notebook_text(notebook),
        "parameters": dict(parameters),
        "working_folder": None if working_folder is None else str(working_folder),
    }
    run = _run_in_fork if process == "fork" or (process == "automatic" and _is_fork_safe()) else _run_in_new_interpreter
    answer = run(request, limit_seconds)
    if answer is None:
        raise ReportError(
            template.name,
            f"the run was stopped before its last cell (it ended, or took over {limit_seconds:g} seconds).",
            "Run the template in Jupyter to see where it stops, and see that the machine has memory to spare.",
        )
    if answer.error:
        place = f"{template.name}, cell {answer.cell} of {answer.n_cells} (it begins '{answer.begins}')"
        if answer.raised:
            error = CrocoosError.from_json(answer.raised)
            error.add_note(f"Raised in {place}.")
            raise error
        raise ReportError(place, answer.error, "Mend what the cell says and run the report again.")
    write_whole(output, answer.notebook.encode("utf-8"))


def _create_text_cell(text: str) -> NotebookNode:
    import nbformat.v4

    new_cell: Callable[..., NotebookNode] = nbformat.v4.new_markdown_cell  # nbformat's functions are untyped
    return new_cell(text, id="notice")


def _is_fork_safe() -> bool:
    """Return whether a fork is safe here: elsewhere than on Linux, system libraries do not survive it."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


def format_notebook_text(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file."""
    import nbformat

    writes: Callable[..., str] = nbformat.writes  # nbformat's functions are untyped
    return writes(notebook) + "\n"


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of any format, as one of format 4.

    Parameters
    ----------
    path
        The notebook's file.

    Returns
    -------
    NotebookNode
        The notebook; it has a kernel's name, Python's when the file gives none.

    Raises
    ------
    ReportError
        When the file is not a notebook.
    StorageError
        When the file cannot be read.
    """
    import nbformat

    try:
        notebook = _parse_notebook(path.read_text(encoding="utf-8"))
        nbformat.validate(notebook)
    except OSError as error:
        raise build_storage_error(path, error) from error
    except (ValueError, TypeError, KeyError, AttributeError, nbformat.ValidationError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        remedy = "Use a notebook that Jupyter can open."
        raise ReportError(path.name, f"this is not a notebook ({reason}).", remedy) from error
    notebook.metadata.setdefault("kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"})
    return notebook


def _parse_notebook(text: str) -> NotebookNode:
    import nbformat

    reads: Callable[..., NotebookNode] = nbformat.reads  # nbformat's functions are untyped
    return reads(text, as_version=4)


def _check_parameters(template: Path, notebook: NotebookNode, parameters: Mapping[str, str]) -> None:
    """Refuse a parameter that the template does not have: papermill would only log it."""
    import papermill

    known = list(papermill.inspect_notebook(notebook))
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise ReportError(
            template.name,
            f"the template has no parameter {', '.join(repr(name) for name in unknown)}.",
            f"Use one of: {', '.join(known)}." if known else "Tag the cell that sets its parameters 'parameters'.",
        )


def _run_in_fork(request: Mapping[str, Any], limit_seconds: float) -> _Answer | None:
    """Run in a fork of this process; None when it ended without an answer or took too long."""
    _import_for_forks()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_answer_by, args=(ours, theirs, request), daemon=False)
    with warnings.catch_warnings():
        # From 3.12 on Python warns of any thread in a process that forks. The libraries with threads here (OpenBLAS,
        # DuckDB) are made for it or are opened anew by the child.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    theirs.close()
    answer = None
    try:
        with contextlib.suppress(EOFError):
            answer = ours.recv() if ours.poll(limit_seconds) else None
    finally:
        ours.close()
        if answer is not None:
            child.join(timeout=_SECONDS_TO_END)
        child.kill()
        child.join()
        child.close()
    return answer


def _import_for_forks() -> None:
    """Import before the first fork what every run imports, two seconds of it, so that no other run has to."""
    import babel.dates
    import scipy.optimize

    from reports import engine, sections
    from reports.figures.style import load_matplotlib

    del babel, scipy, engine, sections
    load_matplotlib()


def _answer_by(asker: Connection, connection: Connection, request: Mapping[str, Any]) -> None:
    # With the asker's end open here, an answer to an asker that was killed would wait for it for ever.
    asker.close()
    # Keys reach all processes of a terminal; whoever waits for this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = _run(request)
    # Whoever asked may have been killed meanwhile.
    with contextlib.suppress(BrokenPipeError):
        connection.send(answer)
    connection.close()


def _run_in_new_interpreter(request: Mapping[str, Any], limit_seconds: float) -> _Answer | None:
    """Run in a new interpreter; None when it ended without an answer or took too long."""
    text = json.dumps({**request, "path": sys.path})
    try:
        done = subprocess.run(  # noqa: S603 -- this very interpreter with a fixed programme
            [sys.executable, "-c", _FRESH],
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=limit_seconds,
            check=False,
            env={**os.environ, "PYTHONUTF8": "1"},
        )
    except subprocess.TimeoutExpired:
        return None
    return _Answer(**json.loads(done.stdout)) if done.returncode == 0 and done.stdout else None


def answer_request(request: Mapping[str, Any]) -> None:
    """Answer one request on standard output; what libraries print goes to standard error instead."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    answer = _run(request)
    with os.fdopen(answer_to, "w", encoding="utf-8") as file:
        json.dump({name: getattr(answer, name) for name in _Answer.__dataclass_fields__}, file)


def _run(request: Mapping[str, Any]) -> _Answer:
    """Run the cells in this process, which is of no use for anything else afterwards."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from reports import engine

    papermill.engines.papermill_engines.register(engine.NAME, engine.InProcessEngine)
    notebook = _parse_notebook(request["template"])
    n_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    try:
        done = papermill.execute_notebook(
            notebook,
            None,
            parameters=dict(request["parameters"]),
            engine_name=engine.NAME,
            request_save_on_cell_execute=False,
            progress_bar=False,
            cwd=request["working_folder"],
        )
    except PapermillExecutionError as error:
        begins = next((line.strip() for line in error.source.splitlines() if line.strip()), "")[:60]
        cell = _find_cell_number(notebook, error.cell_index, injected=bool(request["parameters"]))
        return _Answer(
            cell=cell,
            n_cells=n_cells,
            begins=begins,
            error=f"{error.ename}: {error.evalue}".rstrip(": ") + ".",
            raised=_extract_toolkit_error("\n".join(error.traceback)),
        )
    return _Answer(notebook=format_notebook_text(_remove_machine_traces(done)))


def _extract_toolkit_error(traceback: str) -> str:
    """Return the JSON of an error of the toolkit's that the engine wrote in place of a traceback; "" for any other."""
    try:
        CrocoosError.from_json(traceback)
    except ValueError:
        return ""
    return traceback


def _find_cell_number(template: NotebookNode, index: int, *, injected: bool) -> int:
    """Return the number, from 1, among the template's code cells of the cell that papermill counts as ``index``.

    papermill puts a cell with the parameters' values behind the one tagged "parameters", which the template's reader
    cannot see.
    """
    tags = [cell.metadata.get("tags", ()) for cell in template.cells]
    extra = injected and not any("injected-parameters" in tag for tag in tags)
    parameters_index = next((position for position, tag in enumerate(tags) if "parameters" in tag), len(tags))
    template_index = index - 1 if extra and index > parameters_index else index
    return sum(cell.cell_type == "code" for cell in template.cells[: template_index + 1])


def _remove_machine_traces(notebook: NotebookNode) -> NotebookNode:
    """Take out times, paths of this machine and random ids, so that the same run gives the same bytes."""
    parameters = notebook.metadata.papermill.get("parameters", {})
    notebook.metadata.papermill = {"parameters": dict(sorted(parameters.items()))}
    for position, cell in enumerate(notebook.cells, start=1):
        cell.metadata.pop("papermill", None)
        cell["id"] = f"cell-{position}"
    return notebook
