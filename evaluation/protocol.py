"""The shape of trial.toml: what a protocol may say, table by table.

Everything that the toolkit does is derived from these values; what is stated here is stated nowhere else. The values
check themselves one by one as they are made; what must hold between tables is in ``evaluation.protocol_checks``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from analysis.estimators import ESTIMATORS
from analysis.outcomes import OUTCOME_KINDS
from evaluation.wording import RECOGNISED_WORDING, WORDING
from randomisation.designs import DESIGNS, DesignKind

if TYPE_CHECKING:
    from data_schema.fields import Field as DataField

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""Names that become columns and ids: small letters, digits, underscores."""

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
"""Text, not empty."""

Words = Annotated[Text, WORDING]
"""Text that is printed and that nothing is computed from, not empty."""

OptionalWords = Annotated[str, WORDING]
"""The same, which may be left out."""

Texts = Annotated[tuple[Text, ...], WORDING]
"""Sentences that are printed and that nothing is computed from."""

Day = Annotated[str, StringConstraints(pattern=r"^(\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))?$")]
"""A day such as 2027-10-05, which may be left out."""

LanguageCode = Literal["en", "hu", "sr", "sr-Latn", "sl"]


def require_registered_name(registry: Iterable[str]) -> AfterValidator:
    """Return a check that a value is one of a registry's names, which fails as a `Literal` of them would."""
    names = tuple(registry)

    def check(value: str) -> str:
        if value not in names:
            raise PydanticCustomError("literal_error", "unknown name", {"expected": " or ".join(map(repr, names))})
        return value

    return AfterValidator(check)


FieldType = Literal["identifier", "text", "code", "yes_no", "date", "month", "year", "whole_number", "number"]


KnownLabel = Annotated[str, RECOGNISED_WORDING]
"""A label or unit that is printed, and by which intake recognises a column, an answer or a number."""

Labels = Annotated[dict[LanguageCode, Text], RECOGNISED_WORDING]
"""Labels in other languages, where the toolkit does not know them; intake recognises columns and answers by them."""


class Section(BaseModel):
    """A table of the protocol: immutable, unknown keys refused, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TrialSection(Section):
    """[trial]: what the trial is, in the words that reports print."""

    title: Words
    intervention: Words
    comparison: Words
    objective: OptionalWords = ""
    eligibility: OptionalWords = ""
    registration: str = ""
    funder: str = ""
    read_more: OptionalWords = ""
    limitations: Texts = ()
    recommendations: Texts = ()


class Wave(Section):
    """[[waves]]: one round of data collection, in order of time.

    ``opens`` and ``closes`` are its first and last day, between which the dates and months that it collects lie; where
    they are not stated, they are taken from ``date`` with a margin.
    """

    name: Name
    label: Words
    date: str = ""
    opens: Day = ""
    closes: Day = ""


class Frame(Section):
    """[schools]: the sampling frame, and schools held in reserve for those that withdraw before the start."""

    file: Text = "schools.csv"
    reserves: str = ""


class ArmSection(Section):
    """[[design.arms]]: an arm; the first is the reference that the others are compared with.

    ``starts`` is the wave from which its schools have the programme (waiting lists and stepped wedges), ``factors``
    what its schools have (factorial designs). ``description`` says what its schools do, where arms differ in that.
    """

    name: Name
    label: Words
    description: OptionalWords = ""
    ratio: Annotated[int, Field(ge=1, le=100)] = 1
    starts: str = ""
    factors: tuple[Name, ...] = ()


class MatchingSection(Section):
    """[design.matching]: what makes schools alike enough to be put into one pair or triplet."""

    variables: Annotated[tuple[Name, ...], Field(min_length=1)]
    distance: Literal["standardised", "mahalanobis"] = "standardised"
    limit: Annotated[float, Field(gt=0)] | None = None


class ConstraintSection(Section):
    """[design.constraint]: which draws are balanced enough to be used; ``limits`` are by variable."""

    variables: Annotated[tuple[Name, ...], Field(min_length=1)]
    score: Literal["l2", "max_difference", "mahalanobis"] = "l2"
    best_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    at_most: Annotated[float, Field(ge=0)] | None = None
    limits: dict[Name, Annotated[float, Field(ge=0)]] = {}
    categories: tuple[Name, ...] = ()


class MinimisationSection(Section):
    """[design.minimisation]: of 100 schools, how many are minimised; the column of the order in which they joined."""

    chance: Annotated[int, Field(ge=50, le=95)] = 80
    order: str = ""


class DesignSection(Section):
    """[design]: how schools get their arm. "recorded" adopts a draw that was made elsewhere, from ``allocation``."""

    kind: Annotated[str, require_registered_name(DESIGNS)] = "stratified"
    strata: tuple[Name, ...] = ()
    cuts: dict[Name, tuple[float, ...]] = {}
    matching: MatchingSection | None = None
    constraint: ConstraintSection | None = None
    minimisation: MinimisationSection | None = None
    misfits: Literal["balanced", "strata", "global", "wstrata", "wglobal"] = "balanced"
    units: str = ""
    waiting_label: Words = "Schools still waiting"
    started_label: Words = "Schools that have started"
    seed: str = ""
    allocation: str = ""
    arms: Annotated[tuple[ArmSection, ...], Field(min_length=2)]

    @property
    def method(self) -> DesignKind:
        """What is known of designs of this kind."""
        return DESIGNS[self.kind]


class CodeSection(Section):
    """[[tables.NAME.fields.codes]]: one answer of a field of type "code"."""

    name: Text
    label: KnownLabel = ""
    labels: Labels = {}
    synonyms: tuple[str, ...] = ()


class FieldSection(Section):
    """[[tables.NAME.fields]]: a field that the trial adds to a table, or one that it declares anew."""

    name: Name
    type: FieldType
    label: KnownLabel = ""
    labels: Labels = {}
    headers: tuple[str, ...] = ()
    codes: tuple[CodeSection, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = False
    unit: KnownLabel = ""
    privacy: Literal["open", "quasi_identifier", "identifier", "direct"] = "open"
    filled_in_by: Literal["school", "pupil", "partner", "evaluator"] = "school"
    waves: tuple[Name, ...] = ()
    asked_if: Annotated[dict[Name, tuple[Text, ...]], Field(max_length=1)] = {}
    pattern: str | dict[CountryCode, str] = ""
    check_digits: str | dict[CountryCode, str] = ""
    scope: Literal["school", "country", "trial"] = "school"
    special: bool = False


class EarlierSection(Section):
    """[[tables.NAME.earlier]]: an earlier version of a table, which files of some waves have."""

    name: Text
    waves: Annotated[tuple[Name, ...], Field(min_length=1)]
    renamed: dict[Name, Text] = {}
    recoded: dict[Name, dict[Text, Text]] = {}


class RuleSection(Section):
    """[[tables.NAME.rules]]: what must hold in each record, and what is asked where it does not.

    ``holds`` is a condition such as ``given(status_date) or status == "enrolled"``; the question is at ``field``,
    or at the first field of the condition.
    """

    holds: Text
    message: Words
    field: str = ""


class TableSection(Section):
    """[tables.NAME]: fields added to a standard table or left out of it, or a table of the trial's own."""

    label: OptionalWords = ""
    labels: Annotated[Labels, WORDING] = {}
    about: Literal["school", "pupil"] | None = None
    by_wave: bool | None = None
    key: tuple[Name, ...] = ()
    without: tuple[Name, ...] = ()
    earlier: tuple[EarlierSection, ...] = ()
    fields: tuple[FieldSection, ...] = ()
    rules: tuple[RuleSection, ...] = ()


class WideSection(Section):
    """[inbox.wide]: the values of a field stand as columns, such as a column per month.

    ``across`` is the field whose values they are, or "wave"; ``field`` the one that their cells are of, if no header
    says it; ``columns`` says what headers mean that nobody else would know: ``{ "I. negyed" = "2027-03" }``.
    ``school_year`` is the year in which the school year of months without a year begins.
    """

    across: Name
    school_year: Annotated[int, Field(ge=2000, le=2100)] | None = None
    field: str = ""
    columns: dict[Text, Text] = {}


class InboxSection(Section):
    """[[inbox]]: which files below inbox/ hold which table of which wave.

    ``units`` says what one of another unit is in the field's own, for headers that state it: ``{ days = 6 }``.
    ``school_from`` and ``class_from`` say where the school and the class are stated if no column states them: in the
    ``file``'s name, in a ``folder``'s, in a ``title`` above the header, in the name of the ``sheet``, or (classes) in
    ``headings`` between the rows. The school is known by its identifier or by its name in the frame.
    ``headers`` says what headers of one's own mean: ``{ "Kód" = "pupil_id" }``. ``sheet = "*"`` means all sheets.
    ``dictionary`` is where, below inbox/, the data dictionary of the REDCap project lies that the files are of.
    ``wide`` says what columns represent, where a row of a sheet is many records.
    """

    pattern: Text
    table: Name
    wave: str = ""
    sheet: str = ""
    units: dict[Text, Annotated[float, Field(gt=0)]] = {}
    school_from: Literal["", "file", "folder", "title", "sheet"] = ""
    class_from: Literal["", "file", "folder", "title", "sheet", "headings"] = ""
    headers: dict[Text, Name] = {}
    dictionary: str = ""
    wide: WideSection | None = None

    def is_of(self, wave: str) -> bool:
        """Whether its files are of a wave; those whose columns represent waves are of all."""
        return self.wave == wave or (self.wide is not None and self.wide.across == "wave")


class Population(Section):
    """[population]: the pupils that are analysed, those whom ``table`` lists in ``wave``, in their school of then.

    ``later_lists`` says whom the lists of later waves name in addition: pupils who joined the schools, or other pupils
    altogether, such as later cohorts.
    """

    wave: str = ""
    table: Name = "pupil"
    later_lists: Literal["joiners", "other_pupils"] = "joiners"


class Measure(Section):
    """What an outcome or a covariate is made of: a field or a scale's items, of a table in a wave."""

    name: Name
    label: Words
    table: Name = "pupil"
    wave: str = ""
    field: str = ""
    items: tuple[Name, ...] = ()
    reverse: tuple[Name, ...] = ()
    least_answered: Annotated[float, Field(gt=0, le=1)] = 0.5
    summary: Literal["mean", "sum", "max"] = "mean"


class Covariate(Measure):
    """[[covariates]]: a baseline measure, of pupils or (``table = "school"``) of schools."""


class Outcome(Measure):
    """[[outcomes]]: what the trial is judged by.

    A binary outcome is 1 where ``field`` has one of the ``event`` codes, missing where it has one of ``missing`` or
    where ``missing_where`` (a field and its codes) applies, and 0 otherwise. An ordinal outcome is the place of the
    field's code among its codes, counted from 1 without those in ``missing``, or the whole number that the field holds;
    what is missing is said in the same way. Of a time until an event ``time`` names the field of the time at which the
    event came or, without it, the pupil was last seen; pupils are counted who had the event by the ``horizon``, which
    is in the same ``unit``.
    """

    kind: Annotated[str, require_registered_name(OUTCOME_KINDS)]
    direction: Literal["lower", "higher"]
    event: tuple[str, ...] = ()
    event_words: OptionalWords = ""
    event_people: OptionalWords = ""
    missing: tuple[str, ...] = ()
    missing_where: dict[str, tuple[str, ...]] = {}
    time: str = ""
    horizon: Annotated[float, Field(gt=0)] | None = None
    unit: OptionalWords = ""
    description: OptionalWords = ""

    def scores_of(self, field: DataField) -> dict[str, int]:
        """Return the categories of an ordinal outcome, lowest first, with their scores.

        Parameters
        ----------
        field
            Of the outcome; one that is neither codes in their order nor whole numbers with both limits has none.
        """
        if field.type == "code":
            scored_codes = [code.name for code in field.codes if code.name not in self.missing]
            return {name: score for score, name in enumerate(scored_codes, start=1)}
        if field.type != "whole_number" or field.minimum is None or field.maximum is None or field.minimum < 0:
            return {}
        return {str(score): score for score in range(int(field.minimum), int(field.maximum) + 1)}


class Analysis(Section):
    """[[analyses]]: an entry of the analysis plan; the design's strata are in the model unless ``strata`` is false."""

    name: Name
    outcome: Name
    role: Literal["primary", "secondary", "sensitivity", "exploratory"]
    model: Annotated[str, require_registered_name(ESTIMATORS)]
    options: dict[Name, str | int] = {}
    covariates: tuple[Name, ...] = ()
    strata: bool = True
    missing_outcome: Literal["leave_out", "as_event", "as_no_event"] = "leave_out"


class Inference(Section):
    """[inference]: how sure the plan wants to be."""

    conf_level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    n_draws: Annotated[int, Field(ge=99, le=1_000_000)] = 2000
    draws_seed: str = "randomisation test"


class SignalsSection(Section):
    """[signals]: the share of its pupils that a school's team can look after, at which warning signals are judged."""

    capacity: Annotated[float, Field(gt=0, lt=1)] = 0.1


class ReportsSection(Section):
    """[reports]: what is printed; the smallest count that may be, and the largest share of it from one school."""

    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)] = ("en",)
    disclosure_threshold: Annotated[int, Field(ge=3, le=1000)] = 10
    disclosure_dominance: Annotated[float, Field(gt=0.5, le=1)] = 0.9


class Linking(Section):
    """[linking]: whether pupils are followed across waves by name and birth where their identifier changes."""

    by_name: bool = False


class Privacy(Section):
    """[privacy]: until when pupils' data are kept, on what ground they are used, and what a refusal does.

    ``consent`` is the yes/no field that holds a pupil's answer, in any table about pupils; the last answer counts.
    ``refusal`` says what is done with the data of a pupil whose answer is no: "exclude" (they are kept out of the
    store, and so of every table, estimate, page and file), "aggregate_only" (they count in tables and estimates, and
    no file with rows of pupils leaves with them) or "keep" (the answer is recorded and changes nothing). Where it says
    nothing, data with a refusal are not taken in. Fields of special categories are off without a ``legal_basis``.
    ``consent_model`` says what a missing answer is: "opt_in" (no consent; the same is done as after a refusal) or
    "opt_out" (no objection, for data that are used on another ground than consent, which ``legal_basis`` states).
    ``openers`` names who opens together what `crocoos lock` has sealed: with two, neither can do it alone.
    """

    retain_until: Day = ""
    legal_basis: str = ""
    consent: Name = "consent"
    refusal: Literal["", "exclude", "aggregate_only", "keep"] = ""
    consent_model: Literal["opt_in", "opt_out"] = "opt_in"
    openers: Annotated[tuple[Words, ...], Field(min_length=1)] = ("opener",)


class Protocol(Section):
    """A trial's protocol, as trial.toml states it."""

    trial: TrialSection
    countries: Annotated[dict[CountryCode, Words], Field(min_length=1)]
    waves: Annotated[tuple[Wave, ...], Field(min_length=1)]
    schools: Frame = Frame()
    design: DesignSection
    tables: dict[Name, TableSection] = {}
    inbox: Annotated[tuple[InboxSection, ...], Field(min_length=1)]
    population: Population = Population()
    covariates: tuple[Covariate, ...] = ()
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    analyses: Annotated[tuple[Analysis, ...], Field(min_length=1)]
    inference: Inference = Inference()
    signals: SignalsSection = SignalsSection()
    reports: ReportsSection = ReportsSection()
    privacy: Privacy = Privacy()
    linking: Linking = Linking()

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Names of the arms, the reference first."""
        return tuple(arm.name for arm in self.design.arms)

    @property
    def wave_names(self) -> tuple[str, ...]:
        """Names of the waves in order of time."""
        return tuple(wave.name for wave in self.waves)

    @property
    def population_wave(self) -> str:
        """Wave whose pupils are analysed: the one stated, or the first."""
        return self.population.wave or self.waves[0].name

    def outcome(self, name: str) -> Outcome:
        """Return the outcome of a name."""
        return next(outcome for outcome in self.outcomes if outcome.name == name)

    def covariate(self, name: str) -> Covariate:
        """Return the covariate of a name."""
        return next(covariate for covariate in self.covariates if covariate.name == name)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a protocol: where, what, and what to do."""

    place: str
    problem: str
    remedy: str


def unknown(place: str, word: str, allowed: Iterable[str], *, what: str) -> Problem:
    """Return the problem of a name that refers to nothing, with the nearest name that does."""
    known = list(allowed)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    remedy = f"{hint}Known: {', '.join(known)}." if known else "Take it out: there is none so far."
    return Problem(place, f"'{word}' is no {what}.", remedy)


def find_repeated_names(names: Sequence[str]) -> list[str]:
    """Return the names that are in a list more than once, sorted."""
    return sorted({name for name in names if names.count(name) > 1})
