from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from data_schema.errors import ReportError, StaleError, StorageError
from evaluation.cli.main import get_exit_code
from reports.documents import read_document
from reports.execution import run_notebook

BOTH = pytest.mark.parametrize("process", ["fork", "new"])
Process = Literal["fork", "new"]


def template(
    folder: Path, *cells: str, parameters: str = 'folder = "."\nlanguage = "en"', name: str = "t.ipynb"
) -> Path:
    """Write a template: a cell of parameters, then the given ones."""
    sources = [(parameters, {"tags": ["parameters"]}), *((cell, {}) for cell in cells)]
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# About"},
            *(
                {
                    "cell_type": "code",
                    "id": f"c{i}",
                    "metadata": tags,
                    "source": text,
                    "outputs": [],
                    "execution_count": None,
                }
                for i, (text, tags) in enumerate(sources)
            ),
        ],
    }
    path = folder / name
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def outputs(path: Path) -> list[dict[str, Any]]:
    """Return every output of an executed notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]


def joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


SHOW = "from reports.blocks import Title, show\nshow(Title(text=f'In {language}'))"


@BOTH
def test_a_template_runs_with_its_parameters_and_its_blocks_are_found_again(tmp_path: Path, process: Process) -> None:
    run_notebook(template(tmp_path, SHOW), tmp_path / "out" / "n.ipynb", parameters={"language": "hu"}, process=process)
    assert read_document(tmp_path / "out" / "n.ipynb").title.text == "In hu"


def test_outputs_keep_their_order_and_their_kinds(tmp_path: Path) -> None:
    cell = "import sys\nprint('one')\nprint('two')\ndisplay('three')\nprint('four', file=sys.stderr)\n5"
    run_notebook(template(tmp_path, cell), tmp_path / "n.ipynb", parameters={})
    kinds = [(output["output_type"], output.get("name")) for output in outputs(tmp_path / "n.ipynb")]
    assert kinds == [("stream", "stdout"), ("display_data", None), ("stream", "stderr"), ("execute_result", None)]
    first, *_, last = outputs(tmp_path / "n.ipynb")
    assert joined(first["text"]) == "one\ntwo\n"
    assert joined(last["data"]["text/plain"]) == "5"


def test_a_last_expression_with_a_semicolon_shows_nothing(tmp_path: Path) -> None:
    run_notebook(template(tmp_path, "5;", "None"), tmp_path / "n.ipynb", parameters={})
    assert outputs(tmp_path / "n.ipynb") == []


def test_a_figure_left_open_is_shown_once_after_its_cell(tmp_path: Path) -> None:
    draw = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(1, 1))\nNone"
    run_notebook(template(tmp_path, draw, "1 + 1", draw), tmp_path / "n.ipynb", parameters={})
    kinds = [sorted(output["data"]) for output in outputs(tmp_path / "n.ipynb")]
    assert kinds == [["image/png", "text/plain"], ["text/plain"], ["image/png", "text/plain"]]


@BOTH
def test_a_failing_cell_is_named_and_leaves_no_file(tmp_path: Path, process: Process) -> None:
    path = template(tmp_path, "a = 1", "# the ratio\nratio = a / 0", "print('never')")
    with pytest.raises(ReportError) as caught:
        run_notebook(path, tmp_path / "out" / "n.ipynb", parameters={"language": "hu"}, process=process)
    assert caught.value.place == "t.ipynb, cell 3 of 4 (it begins '# the ratio')"
    assert caught.value.problem == "ZeroDivisionError: division by zero."
    assert not (tmp_path / "out").exists()


def test_the_cell_s_number_is_the_template_s_with_parameters_and_without(tmp_path: Path) -> None:
    path = template(tmp_path, "1/0")
    places = []
    for parameters in ({}, {"language": "hu"}):
        with pytest.raises(ReportError) as caught:
            run_notebook(path, tmp_path / "n.ipynb", parameters=parameters)
        places.append(caught.value.place)
    assert places == ["t.ipynb, cell 2 of 2 (it begins '1/0')"] * 2


def test_an_earlier_output_stays_when_a_cell_fails(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text("earlier", encoding="utf-8")
    with pytest.raises(ReportError):
        run_notebook(template(tmp_path, "1/0"), tmp_path / "n.ipynb", parameters={})
    assert (tmp_path / "n.ipynb").read_text(encoding="utf-8") == "earlier"


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("def f(:\n  pass", "SyntaxError"),
        ("import sys\nsys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("input('name?')", "Error"),
    ],
)
def test_every_way_to_fail_is_a_failure(tmp_path: Path, cell: str, problem: str) -> None:
    with pytest.raises(ReportError, match="cell 2 of 2") as caught:
        run_notebook(template(tmp_path, cell), tmp_path / "n.ipynb", parameters={})
    assert problem in caught.value.problem


@BOTH
def test_an_error_that_the_user_can_mend_crosses_a_notebook_with_all_its_parts(
    tmp_path: Path, process: Process
) -> None:
    raised = "from data_schema.errors import StaleError\nraise StaleError('results', 'are stale.', 'Run impact.')"
    with pytest.raises(StaleError) as caught:
        run_notebook(template(tmp_path, raised), tmp_path / "n.ipynb", parameters={}, process=process)
    assert (caught.value.place, caught.value.problem, caught.value.remedy) == ("results", "are stale.", "Run impact.")
    assert get_exit_code(caught.value) == 8
    assert caught.value.__notes__ == [
        "Raised in t.ipynb, cell 2 of 2 (it begins 'from data_schema.errors import StaleError')."
    ]
    assert not (tmp_path / "n.ipynb").exists()


@BOTH
def test_a_process_that_dies_is_a_failure(tmp_path: Path, process: Process) -> None:
    with pytest.raises(ReportError, match="stopped before its last cell"):
        run_notebook(template(tmp_path, "import os\nos._exit(1)"), tmp_path / "n.ipynb", parameters={}, process=process)


@BOTH
def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path, process: Process) -> None:
    path = template(tmp_path, "import time\ntime.sleep(60)")
    with pytest.raises(ReportError, match=r"over 0\.2 seconds"):
        run_notebook(path, tmp_path / "n.ipynb", parameters={}, limit_seconds=0.2, process=process)


def test_an_unknown_parameter_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no parameter 'lang'\. Use one of: folder, language") as caught:
        run_notebook(template(tmp_path, SHOW), tmp_path / "n.ipynb", parameters={"lang": "hu"})
    assert caught.value.place == "t.ipynb"
    assert not (tmp_path / "n.ipynb").exists()


@pytest.mark.parametrize("content", ["", "{}", '{"cells": 3}', "not json", "\x00"])
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(ReportError, match="not a notebook"):
        run_notebook(tmp_path / "t.ipynb", tmp_path / "n.ipynb", parameters={})


def test_a_missing_template_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        run_notebook(tmp_path / "t.ipynb", tmp_path / "n.ipynb", parameters={})


def test_a_missing_working_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no such folder"):
        run_notebook(template(tmp_path), tmp_path / "n.ipynb", parameters={}, working_folder=tmp_path / "gone")


@BOTH
def test_relative_paths_start_in_the_working_folder(tmp_path: Path, process: Process) -> None:
    (tmp_path / "trial").mkdir()
    path = template(tmp_path, "import os\nprint(os.getcwd())")
    run_notebook(path, tmp_path / "n.ipynb", parameters={}, working_folder=tmp_path / "trial", process=process)
    assert joined(outputs(tmp_path / "n.ipynb")[0]["text"]).strip() == str(tmp_path / "trial")


def test_a_run_leaves_no_state_behind(tmp_path: Path) -> None:
    here, state = Path.cwd(), random.getstate()
    path = template(tmp_path, "import os, random\nos.environ['LEFT'] = '1'\nrandom.seed(1)\nimport json\njson.left = 1")
    run_notebook(path, tmp_path / "n.ipynb", parameters={}, working_folder=tmp_path)
    look = template(
        tmp_path,
        "import os, json\nprint(os.environ.get('LEFT'), hasattr(json, 'left'), 'out' in dir())",
        name="l.ipynb",
    )
    run_notebook(look, tmp_path / "l2.ipynb", parameters={})
    assert joined(outputs(tmp_path / "l2.ipynb")[0]["text"]) == "None False False\n"
    assert (Path.cwd(), random.getstate()) == (here, state)


def test_a_program_that_has_used_pyplot_can_run_a_notebook_with_figures(tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    plt.close(plt.figure(figsize=(1, 1)))
    path = template(tmp_path, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nNone")
    run_notebook(path, tmp_path / "n.ipynb", parameters={}, process="fork")
    assert [output["output_type"] for output in outputs(tmp_path / "n.ipynb")] == ["display_data"]


def test_settings_of_earlier_plots_do_not_reach_the_notebook(tmp_path: Path) -> None:
    import matplotlib as mpl

    path = template(tmp_path, "import matplotlib as mpl\nprint(mpl.rcParams['font.size'])")
    with mpl.rc_context({"font.size": 3.0}):
        run_notebook(path, tmp_path / "n.ipynb", parameters={})
    assert joined(outputs(tmp_path / "n.ipynb")[0]["text"]) == "10.0\n"


def test_the_same_run_gives_the_same_bytes_by_either_process(tmp_path: Path) -> None:
    path = template(tmp_path, SHOW, "print(folder)")
    written = []
    for name, process in (("a", "fork"), ("b", "fork"), ("c", "new")):
        run_notebook(path, tmp_path / name, parameters={"language": "sl"}, process=process)  # type: ignore[arg-type]
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1] == written[2]
    assert str(tmp_path) not in written[0].decode("utf-8"), "no path of this machine is in the output"
    assert b"start_time" not in written[0]


@pytest.mark.parametrize("value", ['"; import os #', "a\nb", "'\"\\", "C:\\trials\\ü", "{braces}"])
def test_a_parameter_is_text_whatever_it_holds(tmp_path: Path, value: str) -> None:
    run_notebook(template(tmp_path, "print(ascii(language))"), tmp_path / "n.ipynb", parameters={"language": value})
    assert joined(outputs(tmp_path / "n.ipynb")[0]["text"]) == ascii(value) + "\n"


def test_an_executed_notebook_can_be_run_again(tmp_path: Path) -> None:
    run_notebook(template(tmp_path, SHOW), tmp_path / "n.ipynb", parameters={"language": "hu"})
    run_notebook(tmp_path / "n.ipynb", tmp_path / "again.ipynb", parameters={"language": "sl"})
    assert read_document(tmp_path / "again.ipynb").title.text == "In sl"


def test_a_notebook_may_run_another(tmp_path: Path) -> None:
    inner = template(tmp_path, SHOW, name="inner.ipynb")
    cell = (
        "from pathlib import Path\nfrom reports.execution import run_notebook\n"
        f"inner, done = Path({str(inner)!r}), Path({str(tmp_path / 'inner-done.ipynb')!r})\n"
        "run_notebook(inner, done, parameters={'language': 'sl'})\n"
        "print('and goes on')"
    )
    run_notebook(template(tmp_path, cell), tmp_path / "n.ipynb", parameters={})
    assert read_document(tmp_path / "inner-done.ipynb").title.text == "In sl"
    assert joined(outputs(tmp_path / "n.ipynb")[0]["text"]) == "and goes on\n"


def test_a_full_disk_leaves_no_half_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def refuse(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = template(tmp_path, SHOW)
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="disk is full"):
        run_notebook(path, tmp_path / "n.ipynb", parameters={})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["t.ipynb"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up as Linux tells them")
def test_a_run_that_is_killed_leaves_no_process_behind_that_waits_to_answer_it(tmp_path: Path) -> None:
    cell = (
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        # More than a pipe holds, once the run is dead.
        "time.sleep(0.5)\nprint('x' * 1_000_000)"
    )
    notebook = template(tmp_path, cell)
    run = os.fork()
    if run == 0:
        run_notebook(notebook, tmp_path / "n.ipynb", parameters={})
        os._exit(0)
    _wait((tmp_path / "pid").exists)
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)
    process = Path("/proc", (tmp_path / "pid").read_text())
    _wait(lambda: not _is_running(process))
    assert not _is_running(process)


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)


def _is_running(process: Path) -> bool:
    """Whether a process goes on; one that has ended may be listed until somebody asks how."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
