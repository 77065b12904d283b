"""The argument that every command has: the trial's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from evaluation.cli.console import ProgressLine, remember_mode

if TYPE_CHECKING:
    from evaluation.trial import Trial

P = ParamSpec("P")


def trial_folder(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command the argument FOLDER and the option --json."""
    argument = click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
    as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
    return argument(as_json(command))


def open_trial(folder: Path) -> Trial:
    """Open a trial that tells the terminal how far it is."""
    from evaluation.trial import Trial

    trial = Trial(folder, progress=ProgressLine())
    remember_mode(practice=trial.is_practice)
    return trial
