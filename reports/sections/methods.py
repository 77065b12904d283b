"""How the estimates were made, by which plan, and what was changed after it was frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from analysis.estimators import make_estimator
from reports.blocks import Block, Bullets, Heading, Inline, Span, convert_to_spans
from reports.claims import describe_key_custody, describe_runs, plan_sentences
from reports.evidence import AnalysisFacts, Evidence
from reports.sections.common import build_paragraph, plan_note
from reports.sections.design import describe_analysis_role
from reports.selection import all_estimates, get_compared_arms, get_focus_country, get_outcome, has_countries
from reports.tables.sensitivity import ASSUMPTIONS, describe_model, planned_model_phrase
from reports.words import Words, message, words

_SHORT_HASH = 16

ERRORS = {
    "CR0": message("standard errors by school (CR0, not corrected for few schools)"),
    "CR1": message("standard errors by school (CR1, multiplied for few schools)"),
    "CR1S": message("standard errors by school (CR1S, multiplied for few schools and for terms)"),
    "CR2": message("standard errors by school (CR2, corrected for few schools)"),
    "CR3": message("standard errors by school (CR3, corrected for few schools as by the jackknife)"),
    "model": message("the model’s own standard errors"),
    "kenward_roger": message("the standard errors of Kenward and Roger, corrected for few schools"),
    "kauermann_carroll": message("standard errors by school (Kauermann and Carroll’s, corrected for few schools)"),
    "mancl_derouen": message("standard errors by school (Mancl and DeRouen’s, corrected for few schools)"),
    "fay_graubard": message("standard errors by school (Fay and Graubard’s, corrected for few schools)"),
    "robust": message("standard errors by school, not corrected for few schools"),
}
DEGREES = {
    "satterthwaite": message("Satterthwaite’s degrees of freedom"),
    "satterthwaite_bounded": message(
        "Satterthwaite’s degrees of freedom, at most the number of schools less that of school-level terms"
    ),
    "kenward_roger": message("their degrees of freedom"),
    "between": message("as many degrees of freedom as there are schools less school-level terms"),
}
"""What is said of a row's ``se_type`` and ``df_method``; a test holds them to those of the models."""

OPTIONS = {
    ("link", "identity"): message("means as they are"),
    ("link", "logit"): message("with a logit link"),
    ("link", "log"): message("with a log link"),
    ("link", "cloglog"): message("with a complementary log-log link"),
    ("correlation", "exchangeable"): message("pupils of a school correlated alike"),
    ("correlation", "independence"): message("pupils of a school taken as independent in the weights"),
    ("family", "negative_binomial"): message("negative binomial"),
    ("family", "poisson"): message("Poisson"),
}
"""What is said of the options of a model that are words; errors and degrees of freedom have sentences of their own."""


def methods(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the plan and the methods."""
    text = words(language)
    return (
        Heading(text=text.text("Methods"), anchor="methods"),
        *_plan(evidence, text),
        Heading(text=text.text("Analyses"), level=2, anchor="analyses"),
        build_paragraph(
            text.text(
                "Pupils enrolled at baseline are analysed in the school they were in then and with the arm that it was"
                " drawn into, whatever the school or the pupil did later."
            )
        ),
        Bullets(items=tuple(_describe_plan_entry(evidence, text, entry) for entry in evidence.analyses)),
        build_paragraph(text.joined(_describe_inference(evidence, text))),
        Heading(text=text.text("Protection of pupils’ data"), level=2, anchor="protection"),
        build_paragraph(text.joined(list(describe_key_custody(evidence.log.custody, text)))),
        Heading(text=text.text("How results are worded"), level=2, anchor="wording"),
        build_paragraph(
            text.text(
                "An effect is said to be there when its interval excludes no difference. Otherwise the report gives the"
                " range of differences that the data are compatible with, and does not call it “no effect”."
            )
        ),
    )


def _get_design_list(design: Mapping[str, object], name: str) -> list[str]:
    """Return one of the lists of `Evidence.design`."""
    return [str(change) for change in (design.get(name) or ())]  # type: ignore[attr-defined]


def _plan(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    design, plan = evidence.design, evidence.plan
    changes, rewordings = (
        _get_design_list(design, "changes_after_freeze"),
        _get_design_list(design, "rewordings_after_freeze"),
    )
    planned = [get_outcome(evidence, entry).label for entry in evidence.analyses if entry.role == "exploratory"]
    blocks: list[Block] = []
    if plan.is_prior:
        fingerprint = str(design.get("plan_sha256") or "")[:_SHORT_HASH]
        hashed = words.text("Its SHA-256 begins with {hash}.", hash=fingerprint) if fingerprint else ""
        blocks.append(build_paragraph(words.joined([*plan_sentences(plan, words), hashed])))
    blocks += plan_note(evidence, words)
    if runs := describe_runs(evidence.log, words):
        blocks.append(build_paragraph(runs))
    if changes:
        blocks.append(build_paragraph(words.text("Changed after the freeze:")))
        blocks.append(Bullets(items=tuple(convert_to_spans(change) for change in changes)))
    elif plan.is_in_force and not rewordings:
        blocks.append(build_paragraph(words.text("Nothing was changed after the freeze.")))
    if rewordings:
        blocks.append(build_paragraph(words.text("Text changed after the freeze, from which no result is computed:")))
        blocks.append(Bullets(items=tuple(convert_to_spans(change) for change in rewordings)))
    if planned:
        blocks.append(
            build_paragraph(words.text("Exploratory: {outcomes}.", outcomes=words.listed(list(dict.fromkeys(planned)))))
        )
    return tuple(blocks)


def _describe_plan_entry(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Inline:
    covariates = [evidence.covariate_labels.get(name, name) for name in entry.covariates]
    allowed = (
        words.text("covariates: {covariates}", covariates=words.listed(covariates))
        if covariates
        else words.text("without covariates")
    )
    return words.line(
        "{entry} ({outcome}; {role}): {model}; {allowed}; {missing}.",
        entry=Span(text=entry.name, strong=True),
        outcome=get_outcome(evidence, entry).label,
        role=describe_analysis_role(words, entry),
        model=", ".join([planned_model_phrase(words, entry), *_describe_model_options(evidence, words, entry)]),
        allowed=allowed,
        missing=words.text(ASSUMPTIONS[entry.missing_outcome]),
    )


def _describe_model_options(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Iterator[str]:
    """Yield the options with which the model of an analysis is fitted, its own where the plan names none."""
    estimator = make_estimator(entry.model, entry.options, kind=get_outcome(evidence, entry).kind)
    for option in fields(estimator):
        value = getattr(estimator, option.name)
        if (option.name, value) in OPTIONS:
            yield words.text(OPTIONS[option.name, value])
        elif option.name == "n_nodes":
            yield words.text("{n} nodes of quadrature", n=words.numbers.count(value))
        elif option.name == "level" and value and not has_level(evidence, entry):
            yield words.text("of which the latter could not be estimated")


def has_level(evidence: Evidence, entry: AnalysisFacts) -> bool:
    """Return whether the variance of the groups within schools that an analysis names was estimated."""
    return all_estimates(evidence).usable(entry.name, "level_sd", country=get_focus_country(evidence)) is not None


def _describe_standard_errors(evidence: Evidence, words: Words) -> Iterator[str]:
    """Yield for each model of the plan which errors and degrees of freedom its differences have.

    If the options of its analyses give it several, each names the analyses that have it.
    """
    rows = evidence.estimates
    rows = rows[(rows["quantity"] == "difference") & (rows["status"] != "failed")]
    for model in dict.fromkeys(entry.model for entry in evidence.analyses):
        model_entries = [entry for entry in evidence.analyses if entry.model == model]
        model_rows = rows[rows["plan_entry"].isin([entry.name for entry in model_entries])]
        several = dict(tuple(model_rows.groupby(["se_type", "df_method"], sort=False)))
        for (errors, degrees), part in several.items():
            if errors not in ERRORS or degrees not in DEGREES:
                continue
            model_name = describe_model(words, model_entries[0])
            if len(several) > 1:
                names = words.listed(list(dict.fromkeys(part["plan_entry"])))
                model_name = words.text("{model} in {analyses}", model=model_name, analyses=names)
            yield words.text(
                "Intervals of the {model} rest on {errors} and {degrees}.",
                model=model_name,
                errors=words.text(ERRORS[errors]),
                degrees=words.text(DEGREES[degrees]),
            )


def _describe_inference(evidence: Evidence, words: Words) -> list[str]:
    frame = evidence.estimates
    if frame.empty:
        return []
    sentences = list(_describe_standard_errors(evidence, words))
    quantities = set(frame["quantity"])
    if "randomisation_test" in quantities:
        sentences.append(
            words.text(
                "Beside the model stands a randomisation test, which makes the allocation again by the same design, in"
                " every possible way or, where the ways are too many, many times over, and asks how often chance alone"
                " gives a difference as large."
            )
        )
        if len(get_compared_arms(evidence)) > 1:
            sentences.append(
                words.text(
                    "Of two arms of several it re-draws the schools of these two alone, given who is in the others."
                )
            )
    if has_countries(evidence) and "pooled_difference" in quantities:
        sentences.append(
            words.text(
                "Across countries, the estimate of one model for all is shown beside a mean of the countries’ estimates"
                " with the interval of Hartung and Knapp, which is made for a handful of countries."
            )
        )
    sentences.append(
        words.text(
            "Counts below {n} pupils are not printed, nor are figures from which they would follow.",
            n=words.numbers.count(evidence.disclosure_threshold),
        )
    )
    return sentences
