"""An engine for papermill that runs a notebook's cells in the process that calls it.

A kernel costs two seconds a notebook and passes pupils' data over a socket. This engine has neither, and gives up a
kernel's isolation: the process is not to be used for anything else afterwards, since the shell replaces ``__main__``
and modules keep what the cells did to them. ``reports.execution`` therefore gives every run a process of its own.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, cast

import nbformat.v4 as nb_v4
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from papermill.engines import Engine
from traitlets.config import Config

from data_schema.errors import CrocoosError
from reports.figures.style import load_matplotlib

NAME = "crocoos-in-process"
"""Name under which the engine is registered with papermill."""

_INLINE = "module://matplotlib_inline.backend_inline"


class Outputs:
    """The outputs of the cell that is running, in the order in which they came."""

    def __init__(self) -> None:
        self.items: list[Any] = []  # nbformat's nodes are untyped
        self.errors: list[tuple[str, str]] = []

    def start_cell(self) -> None:
        """Begin with an empty list; the last cell keeps its own."""
        self.items = []
        self.errors = []

    def add(self, kind: str, **content: object) -> None:
        """Add an output of a notebook's kind; text to the same stream is joined."""
        last = self.items[-1] if self.items else None
        if kind == "stream" and last is not None and last.output_type == "stream" and last.name == content["name"]:
            last.text += content["text"]
            return
        new_output: Callable[..., Any] = nb_v4.new_output  # nbformat's functions are untyped
        self.items.append(new_output(kind, **content))

    def fail(self, name: str, value: str, traceback: list[str]) -> None:
        """Add an error."""
        self.errors.append((name, value))
        self.add("error", ename=name, evalue=value, traceback=traceback)


class _Stream(io.TextIOBase):
    """What a cell prints, as an output."""

    encoding = "utf-8"

    def __init__(self, outputs: Outputs, name: str) -> None:
        super().__init__()
        self._outputs = outputs
        self._name = name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._outputs.add("stream", name=self._name, text=text)
        return len(text)


class _Publisher(DisplayPublisher):
    """Keeps what `display` shows."""

    outputs: Outputs

    def publish(
        self,
        data: Mapping[str, object],
        metadata: Mapping[str, object] | None = None,
        source: object = None,
        **kwargs: object,
    ) -> None:
        del source, kwargs
        self.outputs.add("display_data", data=dict(data), metadata=dict(metadata or {}))

    def clear_output(self, wait: bool = False) -> None:  # noqa: ARG002 -- IPython's signature
        self.outputs.items.clear()


class _Hook(DisplayHook):
    """Keeps what a cell's last expression is."""

    outputs: Outputs

    def write_output_prompt(self) -> None:
        """Print nothing: the output is kept, not printed."""

    def write_format_data(self, format_dict: Mapping[str, object], md_dict: Mapping[str, object] | None = None) -> None:
        self.outputs.add(
            "execute_result",
            data=dict(format_dict),
            metadata=dict(md_dict or {}),
            execution_count=self.prompt_count,
        )

    def finish_displayhook(self) -> None:
        self._is_active = False


class _Shell(InteractiveShell):
    """A shell without a terminal, a history file or a home directory."""

    outputs: Outputs

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        # papermill hands on an error's name, text and traceback. One that the user can mend crosses with its parts.
        lines = [evalue.to_json()] if isinstance(evalue, CrocoosError) else list(stb)
        self.outputs.fail(etype.__name__, str(evalue), lines)

    def ask_exit(self) -> None:
        """Ignore: a notebook cannot leave."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Ignore: there are no windows, and the inline backend asks for none."""


def _create_shell(outputs: Outputs, folder: str) -> _Shell:
    """Return a shell that has seen nothing yet, whatever shell this process was forked from."""
    earlier: InteractiveShell | None = getattr(InteractiveShell, "_instance", None)
    if earlier is not None:
        type(earlier).clear_instance()
    quiet = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    shell = _Shell.instance(
        config=quiet, ipython_dir=folder, display_pub_class=_Publisher, displayhook_class=_Hook, user_ns={}
    )
    shell.outputs = outputs
    cast("_Publisher", shell.display_pub).outputs = outputs
    cast("_Hook", shell.displayhook).outputs = outputs
    return shell


def _initialise_matplotlib(shell: _Shell) -> None:
    """Have figures that a cell leaves open shown after it, and no settings of earlier work in them."""
    os.environ["MPLBACKEND"] = _INLINE
    load_matplotlib()
    import matplotlib as mpl

    mpl.rcdefaults()
    mpl.use(_INLINE)
    if "matplotlib.pyplot" in sys.modules:
        import matplotlib.pyplot as plt

        plt.close("all")
        enable: Callable[[str], object] = shell.enable_matplotlib  # IPython has no types for it
        enable("inline")


def _show_and_close_figures() -> None:
    """Show the figures that a cell made through pyplot, then close them."""
    if "matplotlib.pyplot" in sys.modules:
        from matplotlib_inline import backend_inline

        flush: Callable[[], object] = backend_inline.flush_figures  # untyped
        flush()


def _run_cell(shell: _Shell, source: str) -> bool:
    """Run one cell; return whether it went well."""
    outputs = shell.outputs
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Stream(outputs, "stdout"), _Stream(outputs, "stderr")
    try:
        run: Callable[..., Any] = shell.run_cell  # IPython has no types for it
        result = run(source, store_history=True)
        _show_and_close_figures()
    finally:
        sys.stdout, sys.stderr = before
    error = result.error_before_exec or result.error_in_exec
    if error is not None and not outputs.errors:
        outputs.fail(type(error).__name__, str(error), [])
    return not outputs.errors


class InProcessEngine(Engine):  # type: ignore[misc]  # papermill is untyped
    """papermill's engine of this module; register it as `NAME`."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,  # noqa: ANN401 -- papermill is untyped
        kernel_name: str,
        **kwargs: object,
    ) -> None:
        """Run the cells in order and stop at the first that fails.

        Parameters
        ----------
        nb_man
            papermill's manager of the notebook.
        kernel_name
            Ignored: there is no kernel.
        **kwargs
            papermill's further settings; ignored.
        """
        del kernel_name, kwargs
        outputs = Outputs()
        with tempfile.TemporaryDirectory(prefix="crocoos-") as folder:
            shell = _create_shell(outputs, folder)
            _initialise_matplotlib(shell)
            for position, cell in enumerate(nb_man.nb.cells):
                if cell.cell_type != "code" or not cell.source.strip():
                    continue
                nb_man.cell_start(cell, position)
                outputs.start_cell()
                cell.execution_count = shell.execution_count
                went_well = _run_cell(shell, cell.source)
                cell.outputs = outputs.items
                if not went_well:
                    nb_man.cell_exception(cell, position)
                nb_man.cell_complete(cell, position)
                if not went_well:
                    return
