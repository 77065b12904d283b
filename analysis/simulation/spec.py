"""What a simulated trial looks like: countries, schools, effects and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from data_schema.errors import DesignError


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedOutcome:
    """True effect on one outcome and how much schools differ in it.

    Parameters
    ----------
    effect
        Effect of full implementation, averaged over countries: log odds for dropout, points of the 1-5 scale for
        engagement and belonging, marks for the average mark, log hours for unjustified absences.
    effect_sd
        Standard deviation of the effect between countries, in the same unit; 0 or more.
    icc
        Share of the variance beyond what the covariates explain that lies between schools of one type, on the scale of
        the effect and before the noise of single answers; 0 to below 1. For dropout the pupil's variance is that of
        the logistic distribution, pi squared over 3.
    """

    effect: float = 0.0
    effect_sd: float = 0.0
    icc: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.icc < 1:
            raise _create_trial_error(
                "icc", f"{self.icc} is not a share from 0 to below 1.", "Give an icc such as 0.1."
            )
        if self.effect_sd < 0:
            raise _create_trial_error("effect_sd", f"{self.effect_sd} is below 0.", "Give 0 or a positive number.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCountry:
    """Schools of one country and how it writes its identifiers and names.

    Parameters
    ----------
    code
        Two-letter code of ISO 3166; names are known for HU, RS and SI, other countries get English ones.
    vocational, general
        Numbers of schools by type.
    regions
        Names of regions, dealt to the schools in turn.
    first_school
        Number of the first school; the others follow it.
    school_id_format
        `str.format` pattern of `school_id` with ``{country}`` and ``{number}``.
    pupil_id_format
        `str.format` pattern of `pupil_id` with ``{number}`` (of the school), ``{pupil}`` (from 1 in each school) and
        ``{year}`` (two digits). It needs to be unique within a school only.
    grade
        How the country numbers the first year of upper secondary school.
    currency, hourly_cost, materials
        Currency of the costs, price of a staff hour and of the materials of a school.
    """

    code: str
    vocational: int
    general: int
    regions: tuple[str, ...] = ("North", "South")
    first_school: int = 1
    school_id_format: str = "{country}-{number:03d}"
    pupil_id_format: str = "{number:03d}{pupil:03d}"
    grade: int = 1
    currency: str = "EUR"
    hourly_cost: float = 15.0
    materials: float = 600.0

    def __post_init__(self) -> None:
        if min(self.vocational, self.general) < 0 or self.n_schools == 0:
            raise _create_trial_error(
                f"country {self.code}",
                f"it has {self.vocational} vocational and {self.general} general schools.",
                "Give numbers of 0 or more, and one school at least.",
            )

    @property
    def n_schools(self) -> int:
        """Number of schools of the country."""
        return self.vocational + self.general


_SHARES = (
    "joiners",
    "transfers",
    "unconfirmed_transfers",
    "unknown_status",
    "unknown_status_leavers",
    "survey_nonresponse",
    "item_nonresponse",
    "weak_schools",
)


def _get_default_base_dropout() -> dict[str, float]:
    return {"vocational": 0.13, "general": 0.06, "mixed": 0.10}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTrial:
    """A school trial as it might be: who takes part, what works and what goes wrong.

    Parameters
    ----------
    countries
        One or more countries.
    pupils_per_school
        Least and greatest number of first-year pupils per school; every number between is equally likely.
    base_dropout
        Share of pupils who leave early without the intervention, by school type, 0 to 1.
    dropout, engagement, belonging, average_mark, absences_unjustified
        Effects and intraclass correlations of the outcomes.
    joiners
        Pupils who come after baseline, as a share of those who were there.
    transfers
        Share of the pupils who did not leave early that moved to another school.
    unconfirmed_transfers
        Share of these whose new school did not confirm it.
    unknown_status, unknown_status_leavers
        Share of pupils of whom the school cannot say what became of them: of those who stayed or moved, and of those
        who left early. Unequal shares make an analysis of the known pupils biased.
    schools_lost
        Number of schools that send nothing at follow-up.
    schools_without_survey
        Number of further schools that send no survey at follow-up.
    survey_nonresponse, item_nonresponse
        Share of enrolled pupils without a questionnaire, and of single answers left out.
    weak_schools, weak_dose
        Share of schools that would hardly implement when allocated to it, and the part of the effect that they get.
        The truth counts them in: it is the effect of being allocated.
    arm, reference_arm
        Names of the two arms.
    start_year
        Calendar year of the autumn in which the pupils start.
    months_baseline, months_followup
        Months ("2027-10") for which schools send signals, by wave.

    Raises
    ------
    DesignError
        When a number is impossible.
    """

    countries: tuple[SimulatedCountry, ...]
    pupils_per_school: tuple[int, int] = (40, 90)
    base_dropout: dict[str, float] = field(default_factory=_get_default_base_dropout)
    dropout: SimulatedOutcome = SimulatedOutcome(effect=-0.55, effect_sd=0.10, icc=0.08)
    engagement: SimulatedOutcome = SimulatedOutcome(effect=0.20, effect_sd=0.05, icc=0.08)
    belonging: SimulatedOutcome = SimulatedOutcome(effect=0.15, effect_sd=0.05, icc=0.06)
    average_mark: SimulatedOutcome = SimulatedOutcome(effect=0.10, effect_sd=0.04, icc=0.12)
    absences_unjustified: SimulatedOutcome = SimulatedOutcome(effect=-0.25, effect_sd=0.08, icc=0.15)
    joiners: float = 0.03
    transfers: float = 0.04
    unconfirmed_transfers: float = 0.15
    unknown_status: float = 0.02
    unknown_status_leavers: float = 0.04
    schools_lost: int = 1
    schools_without_survey: int = 2
    survey_nonresponse: float = 0.08
    item_nonresponse: float = 0.02
    weak_schools: float = 0.15
    weak_dose: float = 0.3
    arm: str = "pilot"
    reference_arm: str = "control"
    start_year: int = 2027
    months_baseline: tuple[str, ...] = ("2027-10",)
    months_followup: tuple[str, ...] = ("2028-10", "2028-11")

    def __post_init__(self) -> None:
        self._check_countries()
        self._check_shares()
        low, high = self.pupils_per_school
        if not 1 <= low <= high:
            raise _create_trial_error(
                "pupils_per_school", f"{low} to {high} is no range.", "Give the smaller number first, from 1."
            )
        n_schools = sum(country.n_schools for country in self.countries)
        if min(self.schools_lost, self.schools_without_survey) < 0 or (
            self.schools_lost + self.schools_without_survey > n_schools
        ):
            raise _create_trial_error(
                "schools_lost, schools_without_survey",
                f"{self.schools_lost} and {self.schools_without_survey} of {n_schools} schools.",
                "Give numbers of 0 or more that add up to no more than the schools there are.",
            )
        if self.arm == self.reference_arm:
            raise _create_trial_error("arm", f"both arms are called {self.arm!r}.", "Give them different names.")

    def _check_countries(self) -> None:
        codes = [country.code for country in self.countries]
        if not codes or len(set(codes)) < len(codes):
            raise _create_trial_error("countries", f"{codes} is empty or names one twice.", "Name each country once.")

    def _check_shares(self) -> None:
        shares = {name: float(getattr(self, name)) for name in _SHARES}
        shares |= {f"base_dropout.{kind}": share for kind, share in self.base_dropout.items()}
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise _create_trial_error(
                    name, f"{share} is not a share from 0 to below 1.", "Give a share such as 0.05."
                )
        if any(share == 0 for share in self.base_dropout.values()):
            raise _create_trial_error(
                "base_dropout", "a share is 0.", "Give a share above 0; it has no log odds otherwise."
            )
        missing = {"vocational", "general", "mixed"} - set(self.base_dropout)
        if missing:
            raise _create_trial_error(
                "base_dropout", f"{sorted(missing)} is missing.", "Give a share for each school type."
            )

    @property
    def waves(self) -> tuple[str, str]:
        """Names of the waves in their order."""
        return ("baseline", "followup")

    @classmethod
    def crocoos(cls) -> SimulatedTrial:
        """Three countries with 62 schools, two thirds of them vocational, and 40 to 90 first-year pupils each."""
        return cls(
            countries=(
                SimulatedCountry(
                    code="HU",
                    vocational=17,
                    general=9,
                    regions=("Közép-Dunántúl", "Észak-Magyarország", "Észak-Alföld", "Dél-Dunántúl"),
                    first_school=31_201,
                    school_id_format="{number:06d}",
                    pupil_id_format="7{number:07d}{pupil:03d}",
                    grade=9,
                    currency="HUF",
                    hourly_cost=5_200.0,
                    materials=240_000.0,
                ),
                SimulatedCountry(
                    code="RS",
                    vocational=13,
                    general=7,
                    regions=("Vojvodina", "Beograd", "Šumadija i Zapadna Srbija", "Južna i Istočna Srbija"),
                    first_school=101,
                    school_id_format="RS-{number:03d}",
                    pupil_id_format="{pupil:03d}/{year:02d}",
                    currency="RSD",
                    hourly_cost=1_150.0,
                    materials=70_000.0,
                ),
                SimulatedCountry(
                    code="SI",
                    vocational=11,
                    general=5,
                    regions=("Vzhodna Slovenija", "Zahodna Slovenija"),
                    school_id_format="SI-{number:02d}",
                    pupil_id_format="E{number:02d}{pupil:04d}",
                    hourly_cost=21.0,
                    materials=650.0,
                ),
            )
        )

    @classmethod
    def small(cls) -> SimulatedTrial:
        """Two countries with 12 schools of 20 pupils: for tests that should take milliseconds."""
        hungary, serbia, _ = cls.crocoos().countries
        return cls(
            countries=(replace(hungary, vocational=4, general=2), replace(serbia, vocational=4, general=2)),
            pupils_per_school=(20, 20),
            schools_lost=0,
            schools_without_survey=1,
            months_followup=("2028-10",),
        )


def _create_trial_error(where: str, problem: str, remedy: str) -> DesignError:
    return DesignError(f"simulated trial, {where}", problem, remedy)
