"""The command `crocoos power`."""

from __future__ import annotations

import math
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from evaluation.cli.console import Console, format_columns, keep_practice_mode, records
from evaluation.cli.folder import add_folder_argument, open_trial

if TYPE_CHECKING:
    from evaluation.stages.power import PowerStatement

_SHARE = click.FloatRange(0, 1, max_open=True)


def _read_iccs(ctx: click.Context, param: click.Parameter, stated: tuple[str, ...]) -> tuple[tuple[str, float], ...]:  # noqa: ARG001 -- click's signature
    """Return country, empty for none, and number of each correlation."""
    icc_values = []
    for text in stated:
        country, _, number = text.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not 0 <= share < 1:
            raise click.BadParameter(f"'{text}' holds no share below 1, such as 0.1 or HU=0.1.")
        icc_values.append((country.strip(), share))
    return tuple(icc_values)


@click.command()
@add_folder_argument
@click.option("--icc", "iccs", callback=_read_iccs, metavar="[COUNTRY=]SHARE", multiple=True,
              default=("0.05", "0.1", "0.2"), show_default=True,
              help="Intraclass correlation of the outcome, 0 to 1. May be stated several times: --icc 0.05 --icc 0.1 "
              "to look at both, --icc HU=0.1 --icc 0.05 for one country and the others.")  # fmt: skip
@click.option("--control-risk", type=_SHARE, help="Share of pupils with the event without the intervention, 0 to 1 "
              "(binary outcomes): 0.12 is 12 %.")  # fmt: skip
@click.option("--pupils-per-school", type=click.FloatRange(min=1), default=None,
              help="Mean number of analysed pupils per school. If left out, the list's column 'size', which counts "
              "whole schools.")  # fmt: skip
@click.option("--r2-school", type=_SHARE, default=0.0,
              help="Share of the variance between schools that covariates and strata explain, 0 to 1.")  # fmt: skip
@click.option("--r2-pupil", type=_SHARE, default=0.0,
              help="Share of the variance within schools that covariates explain, 0 to 1.")  # fmt: skip
@click.option("--schools-lost", type=_SHARE, default=0.0, help="Share of schools without an outcome, 0 to 1.")
@click.option("--pupils-lost", type=_SHARE, default=0.0, help="Share of pupils without an outcome, 0 to 1.")
@click.option("--power", "wanted", type=click.FloatRange(0, 1, True, True), default=0.8, show_default=True,
              help="Power that is wanted, 0 to 1.")  # fmt: skip
@click.option(
    "--simulate", "n_simulations", type=click.IntRange(min=0), default=0, help="Simulated trials, such as 1000."
)
@click.option("--effect", type=float, default=None,
              help="True effect to simulate: a difference of shares, such as -0.04, of a binary outcome; standard "
              "deviations of another; 0 for none. The smallest one found if left out.")  # fmt: skip
@click.option("--seed", default="power", show_default=True, help="Text that settles the simulation.")
@click.option("--published-iccs", is_flag=True, help="Only list published intraclass correlations with their sources, "
              "to choose --icc from; no trial is needed.")  # fmt: skip
def power(
    folder: Path,
    *,
    as_json: bool,
    iccs: tuple[tuple[str, float], ...],
    control_risk: float | None,
    pupils_per_school: float | None,
    r2_school: float,
    r2_pupil: float,
    schools_lost: float,
    pupils_lost: float,
    wanted: float,
    n_simulations: int,
    effect: float | None,
    seed: str,
    published_iccs: bool,
) -> None:
    """Estimate the smallest detectable effect.

    Of the primary outcome: a table, curves and, with --simulate, a check by simulated trials.

    Shares and effects are read and printed in one unit: shares from 0 to 1, and their differences.
    """
    from evaluation.power_assumptions import Assumptions, group_iccs_by_country

    if published_iccs:
        _answer_published(as_json=as_json)
        return
    trial = open_trial(folder)
    assumed = Assumptions(
        iccs=group_iccs_by_country(iccs, tuple(trial.protocol.countries)),
        r2_school=r2_school,
        r2_pupil=r2_pupil,
        control_risk=control_risk,
        pupils_per_school=pupils_per_school,
        schools_lost=schools_lost,
        pupils_lost=pupils_lost,
        power=wanted,
    )
    statement = trial.power(assumed, n_simulations=n_simulations, effect=effect, seed=seed)
    Console(as_json=as_json).answer(statement.to_dict(), _format_power_table(statement))


def _answer_published(*, as_json: bool) -> None:
    """Answer with the published intraclass correlations, each with its source."""
    from analysis.published_iccs import PRETEST, design_parameters

    keep_practice_mode(practice=False)
    found = records(design_parameters())
    lines = ["Published intraclass correlations, to choose --icc from:"]
    for row in found:
        low, high, note = row["icc_low"], row["icc_high"], row["note"]
        spread = "" if low is None else f"{low:g} to {high:g}"
        size = spread if row["icc"] is None else f"{row['icc']:g}" + (f" ({spread})" if spread else "")
        subject = f"{size}: {row['outcome']}, {row['population']}, of each {row['level']}"
        lines += ["", fill(subject, 80), _indented(f"{note[:1].upper()}{note[1:]}. {row['source']}")]
    lines += ["", "On --r2-school:", _indented(PRETEST)]
    Console(as_json=as_json).answer({"iccs": found, "pretest": PRETEST}, "\n".join(lines))


def _indented(text: str) -> str:
    return fill(text, 80, initial_indent="  ", subsequent_indent="  ")


def _format_power_table(found: PowerStatement) -> str:
    """Return the table: a row a number of schools, a column a correlation; with several arms, each beside the first."""
    labels = list(dict.fromkeys(found.table["correlation"]))
    is_of_two = found.table["arm"].nunique() < 2
    rows = [["schools", *labels] if is_of_two else ["comparison", "schools of both", "of all arms", *labels]]
    for (arm, reference, n_trial), arm_rows in found.table.groupby(["arm", "reference", "n_schools_trial"], sort=False):
        effects = dict(zip(arm_rows["correlation"], arm_rows["smallest_effect"], strict=True))
        mark = "*" if n_trial == found.n_schools_trial else ""
        own_schools = arm_rows["n_schools"].iloc[0]
        first = (
            [f"{n_trial}{mark}"] if is_of_two else [f"{arm} against {reference}", str(own_schools), f"{n_trial}{mark}"]
        )
        rows.append([*first, *(_format_effect(effects.get(label)) for label in labels)])
    assumed = found.assumed
    lines = [
        f"{found.outcome}: smallest effect that is found with power {assumed.power:g}, as {found.effect_unit}"
        + (" (0.05 is 5 pupils of 100)." if found.binary else "."),
        format_columns(rows, right=range(0 if is_of_two else 1, len(rows[0]))),
        f"Pupils per school: {found.pupils.mean:.1f}, {found.pupils.note}.",
        f"Lost: {assumed.schools_lost:g} of the schools, {assumed.pupils_lost:g} of the pupils in the others. "
        f"Explained: {assumed.r2_school:g} of the variance between schools, {assumed.r2_pupil:g} within.",
        f"* the schools of the frame. Table and curves: {found.folder}",
    ]
    if found.simulated is not None:
        effect, simulated = found.simulated
        lines.append(
            f"Simulated with the trial's design and analysis under the same assumptions ({labels[0]}), true effect "
            f"{effect:.3f}: {simulated}."
        )
        lines.append(
            "An effect counts as found where the interval of the planned model excludes no effect, as in reports; the "
            "randomisation test beside it is not simulated."
        )
        if effect == 0:
            lines.append("Without an effect, that is the share of trials in which the test finds one: its error rate.")
    return "\n".join(lines)


def _format_effect(effect: float | None) -> str:
    return "none" if effect is None or math.isnan(effect) else f"{effect:.3f}"
