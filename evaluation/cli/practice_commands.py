"""The commands that make a trial's folder, and those that simulate one."""

from __future__ import annotations

from pathlib import Path

import click

from evaluation.cli.console import Console, ProgressLine, remember_mode, say
from evaluation.cli.folder import trial_folder


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--template",
    type=click.Choice(["minimal", "crocoos"]),
    default="minimal",
    show_default=True,
    help="Protocol to start from: the smallest that runs, or a trial of early warning systems in three countries.",
)
@click.option("--practice", is_flag=True, help="Make a practice folder: data are simulated in it, and every output "
              "says so. This cannot be changed later.")  # fmt: skip
@click.option("--like", type=click.Path(path_type=Path, file_okay=False), default=None,
              help="Copy the protocol of another trial's folder instead of a template.")  # fmt: skip
def init(folder: Path, template: str, like: Path | None, *, practice: bool) -> None:
    """Make a trial's FOLDER with a commented protocol."""
    from evaluation.scaffold import init as make

    make(folder, template=template, practice=practice, like=like)
    protocol, schools = folder / "trial.toml", folder / "schools.csv"
    if practice:
        say(
            f"This is a practice folder: what is simulated in it is marked as such everywhere. Its protocol is "
            f"{protocol}.\nNext: crocoos simulate {folder}"
        )
        return
    say(
        f"{protocol} is your protocol: read it and make it yours.\n"
        f"Next: put the list of schools into {schools}, then: crocoos plan {folder}"
    )


@click.command()
@trial_folder
@click.option("--seed", type=click.IntRange(min=0), default=2027, show_default=True, help="Seed of the simulation.")
def simulate(folder: Path, *, as_json: bool, seed: int) -> None:
    """Fill a practice folder with simulated schools and files.

    First with a list of schools and, once they are drawn, with the files of its protocol.
    """
    from evaluation.rehearsal.rehearse import rehearse

    done = rehearse(folder, seed=seed, progress=ProgressLine())
    remember_mode(practice=True)
    Console(as_json=as_json).answer(done.to_dict(), done.text())


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"), required=False)
@click.option("--seed", type=click.IntRange(min=0), default=2027, show_default=True, help="Seed of the simulation.")
def demo(folder: Path, seed: int) -> None:
    """Simulate a trial in FOLDER and run it from start to end.

    FOLDER becomes a practice folder; what is made in it says so.
    """
    from evaluation.rehearsal.rehearse import run_demo
    from reports.writers.practice import practice_words

    start = run_demo(folder, seed=seed, progress=ProgressLine(), say=say)
    say(f"\n{practice_words('en').notice}\nThe reports are here: open {start}")
