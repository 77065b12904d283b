"""Evidence: everything a report may state, handed over as plain values.

`evaluation` fills it from the trial's folder; sections, tables and figures read it and nothing else,
so that no notebook fits a model and no sentence holds a typed figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

import pandas as pd

from analysis.outcomes import OUTCOME_KINDS, OutcomeKind
from reports.claims import LogFacts, PlanClaim

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFacts:
    """An arm as reports name it.

    ``schools`` is what running text calls its schools ("pilot schools"); made from the name and label when empty.
    ``description`` says what its schools do, where the protocol says it of each arm.
    """

    name: str
    label: str
    is_reference: bool
    schools: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFacts:
    """An outcome as reports name it.

    ``kind`` is a name in `analysis.outcomes.OUTCOME_KINDS`; ``direction`` says which way is good: "lower" or "higher".
    ``unit`` is the unit of its figures in words ("points"), empty for shares; ``event`` names the event of a binary one
    in the past tense ("left school early"); ``who`` names the pupils who had it, as a plural noun ("leavers").
    ``scale`` has the scores of an ordinal one with the categories' labels, lowest first.
    ``horizon`` is the time by which pupils are counted whose time until an event is asked about, in that unit.
    """

    name: str
    label: str
    kind: str
    direction: str
    unit: str = ""
    event: str = ""
    description: str = ""
    wave: str = ""
    who: str = ""
    scale: tuple[tuple[int, str], ...] = ()
    horizon: float | None = None

    @property
    def outcome_kind(self) -> OutcomeKind:
        """What kind of outcome it is."""
        return OUTCOME_KINDS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisFacts:
    """An entry of the analysis plan.

    ``role`` is that of the protocol, "exploratory" where the entry is not as the plan froze it; ``planned`` is the role
    in the frozen plan, empty where it has no such entry or nothing was frozen. ``since`` says what became of a planned
    entry: "changed" or "removed" from the protocol after the freeze; a removed one has no estimates.
    ``missing_outcome`` says what is assumed of a pupil whose binary outcome is unknown: "leave_out", "as_event" or
    "as_no_event".
    """

    name: str
    outcome: str
    role: str  # "primary", "secondary", "sensitivity" or "exploratory"
    model: str  # a name in `analysis.estimators.ESTIMATORS`
    covariates: tuple[str, ...] = ()
    missing_outcome: str = "leave_out"
    options: Mapping[str, str | int] = field(default_factory=dict, hash=False)  # of the model, where not its own
    planned: str = ""
    since: Literal["", "changed", "removed"] = ""

    @property
    def standing(self) -> str:
        """The role under which reports show the entry: that of the frozen plan, whatever happened to it since."""
        return self.planned or self.role


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about one trial.

    Parameters
    ----------
    title, registration, funder
        As the protocol states them; empty where it does not.
    countries
        Code to English name, in the protocol's order; one or more.
    country
        Code of the country that the report is about; empty for all countries together.
    arms, outcomes, analyses
        In the protocol's order; analyses of a frozen plan in its order, followed by those that were added.
    not_analysed
        Labels of outcomes that the protocol measures and no analysis is about.
    waves
        Wave name to (label, date as the protocol has it).
    design
        Facts of the allocation: ``kind`` ("simple", "complete", "stratified" or "matched"), ``specification`` (of the
        design, as it is recorded), ``labels`` (of the columns that it looks at), ``strata`` (list of labels),
        ``n_strata``, ``ratio`` ("1:1"), ``seed``, ``algorithm``, ``drawn`` ("here" or "elsewhere"),
        ``weighted`` (whether schools had different chances of the arms),
        ``starts`` (pairs of an arm's label and the wave from which its schools have the programme, in a waiting list or
        stepped wedge), ``factors`` (name and label of each, in a factorial design), ``n_late`` (schools drawn later),
        ``n_replaced`` (schools whose place a reserve took before the start), ``verified`` (bool),
        ``allocation_sha256``, ``plan_sha256`` (empty when the plan was not frozen),
        ``changes_after_freeze`` (list of str), ``rewordings_after_freeze`` (the same of text that nothing is computed
        from).
    plan, log
        When the plan was frozen, and what else the trial's log tells.
    estimates
        The table of results/estimates.csv: ``estimate_id, plan_entry, role, quantity, term, estimate, std_error,
        statistic, df, p_value, conf_low, conf_high, conf_level, outcome, arm, reference, country, n_schools,
        n_pupils, n_draws, method, se_type, df_method, status, reason, caution``. ``reference`` is the arm that ``arm``
        is compared with. ``quantity`` is one of: ``difference`` (effect in the outcome's units; a share for binary
        outcomes), ``mean`` (observed mean or share of one arm), ``difference_robust`` (with CR2 errors),
        ``adjusted_mean`` (the mean of the reference plus the difference), ``hedges_g``, ``hedges_g_unconditional``,
        ``cox_index``, ``risk_ratio``, ``rate_ratio``, ``marginal_odds_ratio``, ``hazard_ratio``,
        ``number_needed_to_treat``, ``odds_ratio``, ``probability_of_superiority``, ``share_difference_above_K`` (K a
        score), ``icc``, ``icc_unconditional``, ``school_sd``, ``pupil_sd``,
        ``level_sd``, ``icc_level``, ``icc_beside_level``,
        ``randomisation_test`` (only p_value and statistic), ``pooled_difference`` (mean over countries),
        ``prediction_interval`` (only its ends).
        ``country`` is "" for pooled rows. What could not be estimated has ``status`` other than "ok" or "boundary",
        NaN figures and a ``reason``. ``caution`` holds codes of `analysis.CAUTIONS` with a space between them.
    balance
        One row per variable (and category) and level: ``level`` ("school" or "pupil"), ``variable``, ``label``,
        ``category``, ``country`` ("" for all), ``arm``, ``n_reference``, ``n_arm``, ``mean_reference``, ``mean_arm``,
        ``sd_reference``, ``sd_arm``, ``std_difference``, ``variance_ratio``, ``missing_reference``, ``missing_arm``
        (shares), ``wwc`` ("satisfied", "adjust", "not_satisfied").
    equivalence
        The same among the pupils who have an outcome, after ``outcome`` and ``adjusted`` (whether every analysis of the
        outcome adjusts for the variable); may be empty.
    balance_test
        ``statistic``, ``p_value``, ``n_draws`` of the joint test by re-draws of the design, and the same with
        ``_pupils`` behind of pupils' characteristics alone (by school means); empty when none was made.
    adjustment
        What covariates do to the primary estimate, one row per arm and set of covariates ("none", each one's name,
        "all"): ``plan_entry, arm, covariates, estimate, std_error, shift, shift_in_errors, status``; may be empty.
    flow
        One row: ``country``, ``arm`` ("" before randomisation), ``step``, ``reason``, ``n_schools``, ``n_pupils``.
        Steps in order: ``assessed``, ``excluded`` (one row a reason), ``randomised``, ``baseline`` (pupils enrolled
        at baseline in randomised schools), ``joined`` (pupils who came later, not analysed), ``outcome_missing`` (one
        row a reason), ``analysed`` (of the primary analysis).
    implementation
        One row per indicator, arm and wave: ``country`` ("" for all), ``arm``, ``wave``, ``indicator``, ``label``,
        ``n_schools``, ``mean``, ``minimum``, ``maximum``, ``difference`` (from the mean of the reference arm); may be
        empty.
    costs
        One row per arm and currency: ``country`` ("" for all, where they have one currency), ``arm``, ``n_schools``,
        ``cost_per_school``, ``cost_per_pupil``, ``currency``, ``price_year_first`` and ``price_year`` (the last one; 0
        where none was stated); may be empty.
    signals
        How well warning signals found who had the first binary outcome, in reference schools before the intervention.
        One row a ``country`` ("" for all), ``signal`` ("together": all in one risk) with its ``label``, and ``measure``
        ("sensitivity", "specificity", "predictive_value", "negative_predictive_value", "auc"): ``estimate``,
        ``conf_low``, ``conf_high``, ``conf_level``, ``capacity`` (share of a school's pupils that were flagged at
        most), ``outcome``, ``n_schools``, ``n_pupils``, ``n_events``, ``status``, ``reason``; may be empty.
    returns
        One row per file that schools sent: ``country``, ``file``, ``table``, ``about`` ("school", "pupil" or another
        unit: what a row of the table is about), ``wave``, ``sent``, ``kept``, ``asked``, ``refused``; may be empty.
    disclosure_threshold
        Smallest count that may be printed.
    data_sha256
        Hash of the data that the estimates rest on.
    frozen_waves
        What a wave is called to the hash of its data, for waves that were frozen.
    version
        Version of crocoos that made the results.
    legal_basis
        On what ground pupils' data are used, by the protocol; empty where it says nothing.
    objective, eligibility
        What the trial asks and which schools could take part, as sentences; empty where the protocol says nothing.
    limitations, recommendations
        What the evaluators add to the limits that follow from the results, and what they conclude, a sentence each.
    read_more
        Web address where protocol, data and report can be read.
    covariate_labels
        Name of a covariate to what tables call it.
    withheld
        Plan entries of which numbers of pupils, and means of pupils whose number is not printed, are kept back: beside
        all other numbers they would give a small one away (`reports.release.mending`); and `SENT` and `TOGETHER` of
        `data_returns` where numbers of rows are.
    """

    title: str
    countries: Mapping[str, str]
    country: str
    arms: tuple[ArmFacts, ...]
    outcomes: tuple[OutcomeFacts, ...]
    analyses: tuple[AnalysisFacts, ...]
    waves: Mapping[str, tuple[str, str]]
    design: Mapping[str, object]
    estimates: pd.DataFrame
    balance: pd.DataFrame
    flow: pd.DataFrame
    equivalence: pd.DataFrame = field(default_factory=pd.DataFrame)
    plan: PlanClaim = field(default_factory=PlanClaim)
    log: LogFacts = field(default_factory=LogFacts)
    balance_test: Mapping[str, float] = field(default_factory=dict)
    adjustment: pd.DataFrame = field(default_factory=pd.DataFrame)
    implementation: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    signals: pd.DataFrame = field(default_factory=pd.DataFrame)
    returns: pd.DataFrame = field(default_factory=pd.DataFrame)
    intervention: str = ""
    comparison: str = ""
    registration: str = ""
    funder: str = ""
    disclosure_threshold: int = 10
    data_sha256: str = ""
    frozen_waves: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    objective: str = ""
    legal_basis: str = ""
    eligibility: str = ""
    limitations: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    read_more: str = ""
    covariate_labels: Mapping[str, str] = field(default_factory=dict)
    not_analysed: tuple[str, ...] = ()
    withheld: frozenset[str] = frozenset()
    _known: dict[str, object] = field(init=False, default_factory=dict, repr=False, compare=False)

    def once(self, name: str, make: Callable[[Evidence], T]) -> T:
        """Return what follows from this evidence alone and is costly to make; made when it is first asked for.

        Parameters
        ----------
        name
            What it is called.
        make
            Makes it; always the same function for a name.
        """
        if name not in self._known:
            self._known[name] = make(self)
        return cast("T", self._known[name])
