"""The command `crocoos`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from data_schema.errors import CrocoosError
from evaluation.cli.commands import COMMANDS, ROAD
from evaluation.cli.console import print_error, print_text

EXIT_CODES = {
    "ProtocolError": 3,
    "DataError": 4,
    "DesignError": 5,
    "EstimationError": 6,
    "DisclosureError": 7,
    "StaleError": 8,
    "StorageError": 9,
    "ReportError": 10,
}
"""Exit code of each branch of the tree of errors; 1 is an answer of "no" (verify, status --check), 2 a wrong call."""


INTERRUPTED = 130
"""Exit code of a command that was stopped with Ctrl-C, as shells have it; by another signal, 128 and its number."""


class InOrder(click.Group):
    """Lists the commands in the order in which a trial uses them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the names of the commands."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- as above
        """Write the commands, one line each, by the parts of the road."""
        width = max(map(len, self.commands))
        for part, commands in ROAD.items():
            with formatter.section(part):
                formatter.write_dl(
                    [(f"{command.name:{width}}", command.get_short_help_str(formatter.width)) for command in commands]
                )

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a person who stops it reads in one sentence what has been done."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            ctx.exit(_announce_interruption(stopped))
        except click.Abort as error:
            # At a question, the same keys come in this form.
            if isinstance(error.__context__, KeyboardInterrupt):
                ctx.exit(_announce_interruption(error.__context__))
            raise


class StoppedError(KeyboardInterrupt):
    """The system, or who closed the terminal, has asked the program to end: it stops as it does with Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_OF_SIGNALS = 128
"""What shells add to the number of the signal that ended a program."""


def _announce_interruption(stopped: KeyboardInterrupt) -> int:
    # Of a terminal that was closed, nobody reads what is said.
    with suppress(OSError):
        print_text(
            "\nStopped. What was there before is as it was; run the same command again to have it done.", err=True
        )
    return _OF_SIGNALS + stopped.number if isinstance(stopped, StoppedError) else INTERRUPTED


@contextmanager
def _handle_signals() -> Iterator[None]:
    """Stop in the same way where the system asks the program to end, so that what it has begun is settled."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # Whoever started the program may have it ignore them (nohup).
    heeded = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]

    def raise_stopped(number: int, _frame: FrameType | None) -> None:
        # What is being settled is not stopped by a second one.
        for signal_number in heeded:
            signal.signal(signal_number, signal.SIG_IGN)
        raise StoppedError(number)

    for number in heeded:
        signal.signal(number, raise_stopped)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


@click.group(
    cls=InOrder,
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A trial is a folder with a protocol, trial.toml. Start with: crocoos init my-trial, or crocoos demo.",
)
@click.version_option(package_name="crocoos", message="crocoos %(version)s")
def crocoos() -> None:
    """Randomised trials in schools: from a list of schools to a report."""


def get_exit_code(error: CrocoosError) -> int:
    """Return the exit code of an error's branch."""
    return next(EXIT_CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in EXIT_CODES)


def run() -> None:
    """Run the command line; an error that the user can mend is shown without a traceback."""
    try:
        with _handle_signals():
            crocoos()
    except CrocoosError as error:
        print_error(str(error))
        sys.exit(get_exit_code(error))
