"""The command `crocoos fit`: a model of the data in one or several files, without a trial's folder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import click

from evaluation.cli.console import Console, ProgressLine, format_columns, keep_practice_mode, records

if TYPE_CHECKING:
    import pandas as pd

    from analysis.inference.cluster_robust import SeType
    from analysis.linear_models import LinearModelFit, RobustDf
    from analysis.mixed_models.fit import MixedFit
    from analysis.mixed_models.robust import MixedSeType
    from analysis.mixed_models.working import MixedDfMethod
    from analysis.outcome_models import OutcomeFit
    from analysis.outcome_models.fitted import Family, LinkName

WIDTH = 80
_SMALLEST_P = 0.001

Kind = Literal["linear", "multilevel", "outcome"]

KINDS: Mapping[Kind, str] = {
    "linear": "a formula without random terms",
    "multilevel": "a formula with random terms and --family gaussian",
    "outcome": "a formula with random terms and another --family",
}
"""The models, in the words of an error."""

BELONGS: Mapping[str, tuple[Kind, ...]] = {
    "cluster": ("linear",),
    "fixed_effects": ("linear",),
    "wild_bootstrap": ("linear",),
    "se_type": ("linear", "multilevel"),
    "df_method": ("linear", "multilevel"),
    "weights": ("linear", "multilevel"),
    "joint_test": ("linear", "multilevel"),
    "ml": ("multilevel",),
    "residual_by": ("multilevel",),
    "profile": ("multilevel",),
    "compare": ("multilevel",),
    "by_parts": ("multilevel",),
    "icc": ("multilevel", "outcome"),
    "effects": ("multilevel", "outcome"),
    "link": ("outcome",),
    "exposure": ("outcome",),
    "n_nodes": ("outcome",),
}
"""The options that not every model has, and the models that have them."""


class Wishes(TypedDict):
    """The options of the model, in the words of the functions of `analysis`."""

    family: Literal["gaussian"] | Family
    link: LinkName | None
    exposure: str | None
    n_nodes: int | None
    cluster: str | None
    se_type: MixedSeType | SeType | None
    df_method: MixedDfMethod | RobustDf | None
    weights: str | None
    residual_by: str | None
    fixed_effects: str | None
    reference: tuple[tuple[str, str], ...]
    conf_level: float
    ml: bool
    icc: bool
    profile: bool
    effects: str | None
    joint_test: tuple[str, ...]
    compare: str | None
    wild_bootstrap: str | None
    seed: int
    sheet: str
    by_parts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A fitted model and what else was asked of it, by name, in the order in which it is shown."""

    fit: LinearModelFit | MixedFit | OutcomeFit
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@click.command()
@click.argument("formula")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--family", default="gaussian", show_default=True,
              help="gaussian; or binomial (0 and 1), poisson, negative_binomial (whole numbers).")  # fmt: skip
@click.option("--link", help="Of a binomial: logit, cloglog, log (risk ratios) or identity (risk differences).")
@click.option("--exposure", metavar="COLUMN", help="Time in which a count was made, such as days enrolled.")
@click.option("--n-nodes", type=int, help="Nodes of the quadrature of the other families; 1 is Laplace's method.")
@click.option("--cluster", metavar="COLUMN", help="School of each row, of a formula without random terms.")
@click.option("--se-type", help="CR2, CR0, CR1 or CR3: errors by cluster; without random terms CR1S as well. Of a "
              "formula with random terms errors are by the outermost grouping, if this is stated.")  # fmt: skip
@click.option("--df-method", help="kenward_roger or satterthwaite; without random terms satterthwaite or clusters.")
@click.option("--weights", metavar="COLUMN", help="Weights of the rows, above 0.")
@click.option("--residual-by", metavar="COLUMN", help="Residual variances of their own for this column's levels.")
@click.option("--fixed-effects", metavar="COLUMN", help="Strata, each with an intercept of its own.")
@click.option("--reference", nargs=2, multiple=True, metavar="COLUMN LEVEL", help="Reference level of a factor; "
              "otherwise the first in sorted order. May be stated several times.")  # fmt: skip
@click.option("--conf-level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95,
              show_default=True, help="Level of the intervals.")  # fmt: skip
@click.option("--ml", is_flag=True, help="Maximum likelihood instead of restricted maximum likelihood.")
@click.option("--icc", is_flag=True, help="Also intraclass correlations.")
@click.option("--profile", is_flag=True, help="Also profile-likelihood intervals of effects and deviations.")
@click.option("--effects", metavar="COLUMN", help="Also means and differences of this factor's levels; of a binomial "
              "risks, their differences and ratios; of a count rates.")  # fmt: skip
@click.option("--joint-test", metavar="TERM", multiple=True, help="Also an F test of all effects of a term.")
@click.option("--compare", metavar="FORMULA", help="Also the likelihood-ratio test of another, nested formula; both "
              "are fitted by maximum likelihood for it.")  # fmt: skip
@click.option("--wild-bootstrap", metavar="TERM", help="Also the wild cluster bootstrap of one effect.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the bootstrap.")
@click.option("--sheet", default="", help="Sheet of a workbook; the first one if left out.")
@click.option("--by-parts", is_flag=True, help="Keep of each file only its sums: for data larger than the memory. "
              "Every file must have every level of each factor but strata.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Also write the effects to a CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def fit(formula: str, data: tuple[Path, ...], *, as_json: bool, output: Path | None, **wishes: Unpack[Wishes]) -> None:
    """Fit a model to tidy files: crocoos fit FORMULA DATA...

    FORMULA is that of R's lme4, such as "score ~ arm + pretest + (1 | school)"; without random terms the model is
    fitted by least squares with errors by --cluster. DATA are CSV, .xlsx, Parquet, Stata or SPSS files, parts of one
    data set, with a header and one row per pupil. Empty cells and NA are missing.
    """
    kind = _kind(formula, wishes)
    _refuse_own_data(output, data)
    frames = _frames(formula, data, wishes, progress=ProgressLine())
    fitted = {"linear": _linear, "multilevel": _multilevel, "outcome": _outcome}[kind](formula, frames, wishes)
    level = wishes["conf_level"]
    terms = fitted.fit.tidy(conf_level=level)
    text = _text(fitted, conf_level=level)
    if output is not None:
        _write(output, terms)
        text += f"\n\nThe effects are in {output}."
    values = {
        "formula": fitted.fit.formula,
        "data": [str(path) for path in data],
        "terms": records(terms),
        "glance": records(fitted.fit.glance())[0],
        **{name: records(frame) for name, frame in fitted.tables.items()},
    }
    Console(as_json=as_json).answer(values, text)


def _kind(formula: str, wishes: Wishes) -> Kind:
    """Return which model is fitted.

    Raises
    ------
    EstimationError
        When the formula cannot be read, an option does not belong to the model, or nothing says what the clusters are.
    """
    from analysis.formula import has_random_terms
    from data_schema.errors import EstimationError

    is_random = has_random_terms(formula)
    kind: Kind = "linear"
    if is_random:
        kind = "multilevel" if wishes["family"] == "gaussian" else "outcome"
    elif wishes["family"] != "gaussian":
        remedy = "Add one, such as '+ (1 | school)', or leave --family out."
        raise EstimationError(f"formula '{formula}'", "has no random term, which this --family needs.", remedy)
    for name, value in wishes.items():
        if value and kind not in BELONGS.get(name, KINDS):
            option = f"--{name.replace('_', '-')}"
            needed = " or ".join(KINDS[one] for one in BELONGS[name])
            problem = f"does not belong to this model: it needs {needed}."
            raise EstimationError(option, problem, f"Leave {option} out, or change the model.")
    if kind == "linear" and not wishes["cluster"]:
        raise EstimationError(
            f"formula '{formula}'",
            "has no random term, and no --cluster says which rows belong to one school.",
            "Add '+ (1 | school)' to it, or --cluster school.",
        )
    return kind


def _refuse_own_data(output: Path | None, data: Sequence[Path]) -> None:
    from data_schema.errors import DataError

    if output is not None and output.resolve() in {path.resolve() for path in data}:
        raise DataError(str(output), "is one of the files with data.", "Name another file after --output.")


def _frames(formula: str, data: Sequence[Path], wishes: Wishes, *, progress: ProgressLine) -> Iterator[pd.DataFrame]:
    """Yield the data: each file in its turn where only its sums are kept, else all together."""
    parts = _files(formula, data, sheet=wishes["sheet"], progress=progress)
    if wishes["by_parts"]:
        yield from parts
        return
    yield _put_together(list(parts), data)


def _files(formula: str, data: Sequence[Path], *, sheet: str, progress: ProgressLine) -> Iterator[pd.DataFrame]:
    from data_schema.frames import read_data_frame
    from evaluation.mode import COLUMN

    outcome = formula.partition("~")[0].strip()
    keep_practice_mode(practice=False)
    for done, path in enumerate(data):
        progress("Reading", done, len(data))
        frame = read_data_frame(path, sheet=sheet, numbers=(outcome,))
        if COLUMN in frame.columns:
            keep_practice_mode(practice=True)
        yield frame
    progress.clear()


def _put_together(frames: Sequence[pd.DataFrame], data: Sequence[Path]) -> pd.DataFrame:
    """Return the rows of all parts.

    Raises
    ------
    DataError
        When a part lacks a column of the first, or a column holds numbers in one and text in the other.
    """
    import pandas as pd

    from data_schema.errors import DataError

    if len(frames) == 1:
        return frames[0]
    first, names = frames[0], set().union(*(frame.columns for frame in frames))
    for frame, path in zip(frames, data, strict=True):
        absent = [name for name in (*first.columns, *sorted(names)) if name not in frame.columns]
        if absent:
            raise DataError(str(path), f"has no column '{absent[0]}', which another part has.", "Give all parts it.")
    columns = {}
    for name in first.columns:
        columns[name] = _of_one_type([frame[name] for frame in frames])
        if columns[name] is None:
            problem = f"column '{name}' holds numbers in one part and text in another."
            raise DataError(str(data[0]), problem, "Write it alike in all parts.")
    return pd.DataFrame({name: pd.concat(series, ignore_index=True) for name, series in columns.items() if series})


def _of_one_type(series: Sequence[pd.Series]) -> list[pd.Series] | None:
    """Return a column's parts with one type; None where there is none.

    Identifiers that are whole numbers in one part and begin with a zero in another are text in both.
    """
    from pandas.api.types import is_numeric_dtype

    filled = [is_numeric_dtype(part) for part in series if part.notna().any()]
    if all(filled) or not any(filled):
        kind = None if all(filled) else object
        return [part if kind is None or not is_numeric_dtype(part) else part.astype(object) for part in series]
    if not all(_is_whole(part) for part in series):
        return None
    return [_whole_as_text(part) if is_numeric_dtype(part) else part.astype(object) for part in series]


def _is_whole(part: pd.Series) -> bool:
    """Whether a column's numbers, if that is what it holds, are whole."""
    known = part.dropna()
    return part.dtype.kind != "f" or bool((known == known.round()).all())


def _whole_as_text(part: pd.Series) -> pd.Series:
    return part.dropna().astype("int64").astype(str).astype(object).reindex(part.index)


def _linear(formula: str, frames: Iterator[pd.DataFrame], wishes: Wishes) -> Answer:
    """Fit by least squares with errors by cluster."""
    import pandas as pd

    from analysis.inference.wild_bootstrap import wild_bootstrap
    from analysis.linear_models import linear_model

    (frame,) = frames
    made = linear_model(
        formula,
        frame,
        cluster=wishes["cluster"] or "",
        se_type=wishes["se_type"] or "CR2",  # type: ignore[arg-type]  # the function names those that it knows
        weights=wishes["weights"],
        fixed_effects=wishes["fixed_effects"],
        reference=dict(wishes["reference"]),
        df_method=wishes["df_method"] or "satterthwaite",  # type: ignore[arg-type]  # as above
    )
    made.require_fit()
    tables = {}
    if wishes["joint_test"]:
        tables["joint_tests"] = pd.concat([made.f_test(term) for term in wishes["joint_test"]], ignore_index=True)
    if wishes["wild_bootstrap"]:
        term = wishes["wild_bootstrap"]
        tested = wild_bootstrap(made, term, conf_level=wishes["conf_level"], seed=wishes["seed"])
        shown = ("estimate", "std_error", "p_value", "conf_low", "conf_high", "distribution", "n_bootstrap")
        tables["wild_bootstrap"] = pd.DataFrame([{"term": term, **{name: getattr(tested, name) for name in shown}}])
    return Answer(fit=made, tables=tables)


def _multilevel(formula: str, frames: Iterator[pd.DataFrame], wishes: Wishes) -> Answer:
    """Fit a linear multilevel model from the sums of each part."""
    from analysis.mixed import fit_mixed_sums, merge_mixed_sums, mixed_sums
    from data_schema.errors import EstimationError

    se_type, compared = wishes["se_type"] or "model", wishes["compare"]
    formulas = [formula, *([compared] if compared else [])]
    parts = [
        [
            mixed_sums(
                one,
                frame,
                weights=wishes["weights"],
                residual_by=wishes["residual_by"],
                reference=dict(wishes["reference"]),
                clusters=se_type != "model" and one == formula,
            )
            for one in formulas
        ]
        for frame in frames
    ]
    try:
        sums = [merge_mixed_sums(column) for column in zip(*parts, strict=True)]
    except EstimationError as error:
        remedy = "Leave --by-parts out; or cut the data so that every file has every level and column."
        raise EstimationError(error.place, error.problem, remedy) from error
    made = fit_mixed_sums(
        sums[0],
        reml=not wishes["ml"],
        df_method=wishes["df_method"],  # type: ignore[arg-type]  # the function names those that it knows
        se_type=se_type,  # type: ignore[arg-type]  # as above
    )
    _require_fitted(made)
    tables = _further_tables(made, wishes)
    if compared:
        tables["comparison"] = _comparison([fit_mixed_sums(one, reml=False) for one in sums])
    return Answer(fit=made, tables=tables)


def _outcome(formula: str, frames: Iterator[pd.DataFrame], wishes: Wishes) -> Answer:
    """Fit a multilevel model of a binary outcome or a count."""
    from analysis.mixed import mixed_model

    (frame,) = frames
    family = wishes["family"]
    assert family != "gaussian"  # noqa: S101  # a linear model is another kind
    made = mixed_model(
        formula,
        frame,
        family=family,
        link=wishes["link"],
        n_nodes=wishes["n_nodes"],
        exposure=wishes["exposure"],
        reference=dict(wishes["reference"]),
    )
    _require_fitted(made)
    tables = {"variance_components": made.variance_components()}
    if wishes["icc"]:
        tables["icc"] = made.icc()
    if wishes["effects"]:
        # The arm says which level a row is about.
        effects = made.effects(wishes["effects"], conf_level=wishes["conf_level"]).tidy()
        tables["effects"] = effects.assign(term="")
    return Answer(fit=made, tables=tables)


def _further_tables(made: MixedFit, wishes: Wishes) -> dict[str, pd.DataFrame]:
    import pandas as pd

    level = wishes["conf_level"]
    tables = {"variance_components": made.variance_components()}
    if wishes["icc"]:
        tables["icc"] = made.icc(conf_level=level)
    if wishes["profile"]:
        tables["profile_intervals"] = made.profile_intervals(conf_level=level)
    if wishes["effects"]:
        means = made.marginal_means(wishes["effects"], conf_level=level)
        differences = made.marginal_contrasts(wishes["effects"], conf_level=level)
        tables["effects"] = pd.concat([means, differences], ignore_index=True)
    if wishes["joint_test"]:
        tables["joint_tests"] = pd.concat([made.f_test(term) for term in wishes["joint_test"]], ignore_index=True)
    return tables


def _comparison(fits: Sequence[MixedFit]) -> pd.DataFrame:
    """Return the likelihood-ratio test of two fits, whichever is the larger one."""
    from analysis.mixed_models.comparison import likelihood_ratio_test

    for made in fits:
        _require_fitted(made)
    smaller, larger = sorted(fits, key=lambda made: made.n_parameters)
    tested = likelihood_ratio_test(smaller, larger)
    tested.insert(0, "smaller", smaller.formula)
    return tested


def _require_fitted(made: MixedFit | OutcomeFit) -> None:
    from analysis.mixed_models.summary import require_coefficients

    require_coefficients(made.coefficients, made.convergence, outcome=made.outcome)


def _write(output: Path, terms: pd.DataFrame) -> None:
    from data_schema.exports import encode_csv
    from data_schema.files import write_whole

    write_whole(output, encode_csv(terms))


_SHOWN = {
    "icc": ("Intraclass correlations", ("group", "icc", "conf_low", "conf_high")),
    "profile_intervals": ("Profile-likelihood intervals", ("group", "term", "conf_low", "conf_high")),
    "effects": ("Means, and differences or ratios",
                ("quantity", "arm", "term", "estimate", "conf_low", "conf_high", "p_value")),
    "joint_tests": ("Joint tests", ("term", "statistic", "df_numerator", "df_denominator", "p_value")),
    "comparison": ("Likelihood-ratio test by maximum likelihood, against the smaller formula",
                   ("smaller", "statistic", "df", "p_value")),
    "wild_bootstrap": ("Wild cluster bootstrap", ("term", "estimate", "p_value", "conf_low", "conf_high")),
}  # fmt: skip
"""What the terminal shows of the tables: heading and columns; JSON has all of them."""


def _text(answer: Answer, *, conf_level: float) -> str:
    """Return what the terminal shows: sentences of 80 signs at most, and tables."""
    summary = answer.fit.summary(conf_level=conf_level)
    # In tables columns stand two spaces apart.
    lines = [line if "  " in line else fill(line, WIDTH) for line in summary.splitlines()]
    for name, frame in answer.tables.items():
        if name in _SHOWN:
            heading, columns = _SHOWN[name]
            filled = [column for column in columns if column in frame and not (frame[column].astype(str) == "").all()]
            rows = [filled, *([_figure(column, row[column]) for column in filled] for row in frame.to_dict("records"))]
            numbers = [at for at, column in enumerate(filled) if frame[column].dtype.kind in "fi"]
            lines += ["", f"{heading}:", format_columns(rows, right=numbers)]
    return "\n".join(lines)


def _figure(column: str, value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return ""
    if column == "p_value":
        return "<0.001" if value < _SMALLEST_P else f"{value:.3f}"
    return f"{value:.5g}"
