"""The argument that every command has: the trial's folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from evaluation.cli.console import ProgressLine, keep_practice_mode, print_text

if TYPE_CHECKING:
    from evaluation.guarded_files import Opening
    from evaluation.trial import Trial

P = ParamSpec("P")


def add_folder_argument(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command the argument FOLDER and the option --json."""
    argument = click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
    as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
    return argument(as_json(command))


def open_trial(folder: Path) -> Trial:
    """Open a trial that shows how far it is and asks to open what is sealed; complete a run that was killed."""
    from evaluation.custody import open_note
    from evaluation.trial import Trial

    trial = Trial(folder, progress=ProgressLine(), opening=_ask_for_opening)
    trial.settle()
    folder_now = trial.snapshot()
    keep_practice_mode(practice=folder_now.is_practice)
    context = click.get_current_context()
    # What opens the vault seals what it finds, and status says it in its answer.
    if "crocoos.key" not in context.meta and context.info_name != "status" and (left := open_note(folder_now)):
        print_text(left, err=True)
    return trial


def add_opening_options(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command what it needs to open what is sealed: the options --key and --reason."""
    reason = click.option(
        "--reason",
        default="",
        expose_value=False,
        callback=_keep_option_value,
        help="Where it opens what is sealed: why, for the log.",
    )
    return reason(add_key_option(command))


def add_key_option(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command that has a --reason of its own the option --key."""
    return click.option(
        "--key",
        multiple=True,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        expose_value=False,
        callback=_keep_option_value,
        help="A file with an identity of age that opens what is sealed; else a passphrase is asked for.",
    )(command)


def _keep_option_value(context: click.Context, option: click.Parameter, value: object) -> object:
    context.meta[f"crocoos.{option.name}"] = value
    return value


def set_opening_reason(reason: str) -> None:
    """Keep the reason that a command was given as that of an opening, too."""
    click.get_current_context().meta["crocoos.reason"] = reason


def _ask_for_opening(command: str, openers: tuple[str, ...]) -> Opening:
    """Ask why what is sealed is opened, and for its openers' secrets."""
    from evaluation.guarded_files import Opening

    meta = click.get_current_context().meta
    reason = meta.get("crocoos.reason", "") or ask_for_text(f"Why it is opened for {command} (for the log)")
    identities = [_read_identity(path) for path in meta.get("crocoos.key", ())]
    # Who has an identity is not asked for a passphrase.
    others = openers[len(identities) :]
    first = len(identities) + 1
    return Opening(
        reason=reason,
        secrets=(*identities, *(ask_for_secret(opener_name, n) for n, opener_name in enumerate(others, first))),
    )


def _read_identity(path: Path) -> str:
    """Return the identity in a file as age-keygen writes it, below lines of comment."""
    from data_schema.errors import DataError

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("--key", "the file cannot be read.", "Name one that age-keygen has written.") from error
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")


def ask_for_secret(opener: str, number: int, *, new: bool = False, renewed: bool = False) -> str:
    """Ask an opener for the passphrase, twice for a new one; or take it from the environment.

    CROCOOS_PASSPHRASE is that of the first opener, CROCOOS_PASSPHRASE_2 that of the second; where one takes the place
    of another, CROCOOS_NEW_PASSPHRASE and CROCOOS_NEW_PASSPHRASE_2.
    """
    variable = "CROCOOS_NEW_PASSPHRASE" if renewed else "CROCOOS_PASSPHRASE"
    variable += "" if number == 1 else f"_{number}"
    words = " (four or five words)" if new else ""
    return os.environ.get(variable) or ask_for_text(f"Passphrase of the {opener}{words}", hidden=True, twice=new)


def ask_for_text(question: str, *, hidden: bool = False, twice: bool = False) -> str:
    """Ask for a text.

    Raises
    ------
    DataError
        When there is nobody to answer.
    """
    from data_schema.errors import DataError

    try:
        answer: str = click.prompt(question, hide_input=hidden, confirmation_prompt=twice, err=True)
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        remedy = "Run it in a terminal; or give --reason, and --key or the variable CROCOOS_PASSPHRASE."
        raise DataError("what is sealed", "nobody answers what has to be asked to open it.", remedy) from error
    return answer
