"""The argument that every command has: the trial's folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from evaluation.cli.console import ProgressLine, remember_mode, say

if TYPE_CHECKING:
    from evaluation.guarded_files import Opening
    from evaluation.trial import Trial

P = ParamSpec("P")


def trial_folder(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command the argument FOLDER and the option --json."""
    argument = click.argument("folder", type=click.Path(path_type=Path), default=Path(), required=False)
    as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
    return argument(as_json(command))


def open_trial(folder: Path) -> Trial:
    """Open a trial that shows how far it is and asks to open what is sealed; complete a run that was killed."""
    from evaluation.custody import open_note
    from evaluation.trial import Trial

    trial = Trial(folder, progress=ProgressLine(), opening=_asked)
    trial.settle()
    folder_now = trial.snapshot()
    remember_mode(practice=folder_now.is_practice)
    context = click.get_current_context()
    # What opens the vault seals what it finds, and status says it in its answer.
    if "crocoos.key" not in context.meta and context.info_name != "status" and (left := open_note(folder_now)):
        say(left, err=True)
    return trial


def opens(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command what it needs to open what is sealed: the options --key and --reason."""
    reason = click.option(
        "--reason",
        default="",
        expose_value=False,
        callback=_kept,
        help="Where it opens what is sealed: why, for the log.",
    )
    return reason(opens_with_key(command))


def opens_with_key(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command that has a --reason of its own the option --key."""
    return click.option(
        "--key",
        multiple=True,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        expose_value=False,
        callback=_kept,
        help="A file with an identity of age that opens what is sealed; else a passphrase is asked for.",
    )(command)


def _kept(context: click.Context, option: click.Parameter, value: object) -> object:
    context.meta[f"crocoos.{option.name}"] = value
    return value


def reason_is(reason: str) -> None:
    """Keep the reason that a command was given as that of an opening, too."""
    click.get_current_context().meta["crocoos.reason"] = reason


def _asked(command: str, openers: tuple[str, ...]) -> Opening:
    """Ask why what is sealed is opened, and for its openers' secrets."""
    from evaluation.guarded_files import Opening

    meta = click.get_current_context().meta
    reason = meta.get("crocoos.reason", "") or prompted(f"Why it is opened for {command} (for the log)")
    identities = [_identity_in(path) for path in meta.get("crocoos.key", ())]
    # Who has an identity is not asked for a passphrase.
    others = openers[len(identities) :]
    first = len(identities) + 1
    return Opening(reason=reason, secrets=(*identities, *(secret_of(one, n) for n, one in enumerate(others, first))))


def _identity_in(path: Path) -> str:
    """Return the identity in a file as age-keygen writes it, below lines of comment."""
    from data_schema.errors import DataError

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("--key", "the file cannot be read.", "Name one that age-keygen has written.") from error
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")


def secret_of(opener: str, number: int, *, new: bool = False, renewed: bool = False) -> str:
    """Ask an opener for the passphrase, twice for a new one; or take it from the environment.

    CROCOOS_PASSPHRASE is that of the first opener, CROCOOS_PASSPHRASE_2 that of the second; where one takes the place
    of another, CROCOOS_NEW_PASSPHRASE and CROCOOS_NEW_PASSPHRASE_2.
    """
    variable = "CROCOOS_NEW_PASSPHRASE" if renewed else "CROCOOS_PASSPHRASE"
    variable += "" if number == 1 else f"_{number}"
    words = " (four or five words)" if new else ""
    return os.environ.get(variable) or prompted(f"Passphrase of the {opener}{words}", hidden=True, twice=new)


def prompted(question: str, *, hidden: bool = False, twice: bool = False) -> str:
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
