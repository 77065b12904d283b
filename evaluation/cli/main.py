"""The command `crocoos`."""

from __future__ import annotations

import sys

import click

from data_schema.errors import CrocoosError
from evaluation.cli.commands import COMMANDS
from evaluation.cli.console import say, say_error

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
"""Exit code of a command that was stopped with Ctrl-C, as shells have it."""


class InOrder(click.Group):
    """Lists the commands in the order in which a trial uses them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the names of the commands."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a person who stops it is told in one sentence how things stand."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(_stopped())
        except click.Abort as error:
            # At a question, the same keys come in this form.
            if isinstance(error.__context__, KeyboardInterrupt):
                ctx.exit(_stopped())
            raise


def _stopped() -> int:
    say("\nStopped. What was there before is as it was; run the same command again to have it done.", err=True)
    return INTERRUPTED


@click.group(
    cls=InOrder,
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A trial is a folder with a protocol, trial.toml. Start with: crocoos init my-trial",
)
@click.version_option(package_name="crocoos", message="crocoos %(version)s")
def crocoos() -> None:
    """Randomised trials in schools: from a list of schools to a report."""


def exit_code(error: CrocoosError) -> int:
    """Return the exit code of an error's branch."""
    return next(EXIT_CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in EXIT_CODES)


def run() -> None:
    """Run the command line; an error that the user can mend is shown without a traceback."""
    try:
        crocoos()
    except CrocoosError as error:
        say_error(str(error))
        sys.exit(exit_code(error))
