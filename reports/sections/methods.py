"""How the estimates were made, by which plan, and what was changed after it was frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from analysis.estimators import make_estimator
from reports.blocks import Block, Bullets, Heading, Inline, Span, inline
from reports.claims import custody_sentences, plan_sentences, runs_sentence
from reports.evidence import AnalysisFacts, Evidence
from reports.sections.common import paragraph, plan_note
from reports.sections.design import role_text
from reports.selection import all_estimates, compared_arms, focus, has_countries, outcome_of
from reports.tables.sensitivity import ASSUMPTIONS, model_phrase, planned_model_phrase
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
        paragraph(
            text.text(
                "Pupils enrolled at baseline are analysed in the school they were in then and with the arm that it was"
                " drawn into, whatever the school or the pupil did later."
            )
        ),
        Bullets(items=tuple(_entry(evidence, text, entry) for entry in evidence.analyses)),
        paragraph(text.joined(_inference(evidence, text))),
        Heading(text=text.text("Protection of pupils’ data"), level=2, anchor="protection"),
        paragraph(text.joined(list(custody_sentences(evidence.log.custody, text)))),
        Heading(text=text.text("How results are worded"), level=2, anchor="wording"),
        paragraph(
            text.text(
                "An effect is said to be there when its interval excludes no difference. Otherwise the report gives the"
                " range of differences that the data are compatible with, and does not call it “no effect”."
            )
        ),
    )


def _listed(design: Mapping[str, object], name: str) -> list[str]:
    """Return one of the lists of `Evidence.design`."""
    return [str(change) for change in (design.get(name) or ())]  # type: ignore[attr-defined]


def _plan(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    design, plan = evidence.design, evidence.plan
    changes, rewordings = _listed(design, "changes_after_freeze"), _listed(design, "rewordings_after_freeze")
    planned = [outcome_of(evidence, entry).label for entry in evidence.analyses if entry.role == "exploratory"]
    blocks: list[Block] = []
    if plan.is_prior:
        fingerprint = str(design.get("plan_sha256") or "")[:_SHORT_HASH]
        hashed = words.text("Its SHA-256 begins with {hash}.", hash=fingerprint) if fingerprint else ""
        blocks.append(paragraph(words.joined([*plan_sentences(plan, words), hashed])))
    blocks += plan_note(evidence, words)
    if runs := runs_sentence(evidence.log, words):
        blocks.append(paragraph(runs))
    if changes:
        blocks.append(paragraph(words.text("Changed after the freeze:")))
        blocks.append(Bullets(items=tuple(inline(change) for change in changes)))
    elif plan.is_in_force and not rewordings:
        blocks.append(paragraph(words.text("Nothing was changed after the freeze.")))
    if rewordings:
        blocks.append(paragraph(words.text("Text changed after the freeze, from which no result is computed:")))
        blocks.append(Bullets(items=tuple(inline(change) for change in rewordings)))
    if planned:
        blocks.append(
            paragraph(words.text("Exploratory: {outcomes}.", outcomes=words.listed(list(dict.fromkeys(planned)))))
        )
    return tuple(blocks)


def _entry(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Inline:
    covariates = [evidence.covariate_labels.get(name, name) for name in entry.covariates]
    allowed = (
        words.text("covariates: {covariates}", covariates=words.listed(covariates))
        if covariates
        else words.text("without covariates")
    )
    return words.line(
        "{entry} ({outcome}; {role}): {model}; {allowed}; {missing}.",
        entry=Span(text=entry.name, strong=True),
        outcome=outcome_of(evidence, entry).label,
        role=role_text(words, entry),
        model=", ".join([planned_model_phrase(words, entry), *_options(evidence, words, entry)]),
        allowed=allowed,
        missing=words.text(ASSUMPTIONS[entry.missing_outcome]),
    )


def _options(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Iterator[str]:
    """Yield the options with which the model of an analysis is fitted, its own where the plan names none."""
    estimator = make_estimator(entry.model, entry.options, kind=outcome_of(evidence, entry).kind)
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
    return all_estimates(evidence).usable(entry.name, "level_sd", country=focus(evidence)) is not None


def _errors(evidence: Evidence, words: Words) -> Iterator[str]:
    """Yield for each model of the plan which errors and degrees of freedom its differences have.

    If the options of its analyses give it several, each names the analyses that have it.
    """
    rows = evidence.estimates
    rows = rows[(rows["quantity"] == "difference") & (rows["status"] != "failed")]
    for model in dict.fromkeys(entry.model for entry in evidence.analyses):
        mine = [entry for entry in evidence.analyses if entry.model == model]
        made = rows[rows["plan_entry"].isin([entry.name for entry in mine])]
        several = dict(tuple(made.groupby(["se_type", "df_method"], sort=False)))
        for (errors, degrees), part in several.items():
            if errors not in ERRORS or degrees not in DEGREES:
                continue
            model_name = model_phrase(words, mine[0])
            if len(several) > 1:
                names = words.listed(list(dict.fromkeys(part["plan_entry"])))
                model_name = words.text("{model} in {analyses}", model=model_name, analyses=names)
            yield words.text(
                "Intervals of the {model} rest on {errors} and {degrees}.",
                model=model_name,
                errors=words.text(ERRORS[errors]),
                degrees=words.text(DEGREES[degrees]),
            )


def _inference(evidence: Evidence, words: Words) -> list[str]:
    frame = evidence.estimates
    if frame.empty:
        return []
    said = list(_errors(evidence, words))
    quantities = set(frame["quantity"])
    if "randomisation_test" in quantities:
        said.append(
            words.text(
                "Beside the model stands a randomisation test, which makes the allocation again by the same design, in"
                " every possible way or, where the ways are too many, many times over, and asks how often chance alone"
                " gives a difference as large."
            )
        )
        if len(compared_arms(evidence)) > 1:
            said.append(
                words.text(
                    "Of two arms of several it re-draws the schools of these two alone, given who is in the others."
                )
            )
    if has_countries(evidence) and "pooled_difference" in quantities:
        said.append(
            words.text(
                "Across countries, the estimate of one model for all is shown beside a mean of the countries’ estimates"
                " with the interval of Hartung and Knapp, which is made for a handful of countries."
            )
        )
    said.append(
        words.text(
            "Counts below {n} pupils are not printed, nor are figures from which they would follow.",
            n=words.numbers.count(evidence.disclosure_threshold),
        )
    )
    return said
