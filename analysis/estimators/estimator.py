"""What an estimator declares and answers: the one place that the protocol, the checks and the reports ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Estimate, Fit
    from analysis.specs import Model
    from analysis.standardised import Standardised


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmModel:
    """A fitted model of the arms.

    Parameters
    ----------
    fit
        Its coefficients and differences.
    standardise
        Makes the standardised means by arm, where they are asked for; a failed fit has none.
    robust
        The same estimates with errors that do not rest on the model; None where the estimator has no second errors.
    unequal
        Terms of the arms whose schools spread unequally.
    beside
        Makes the rows that only the whole model has, from a row with the arm; None where it has none.
    fit_hazards
        Fits the model of hazards whose ratios are beside the differences; None where the estimator has none.
    """

    fit: Fit
    standardise: Callable[[], Standardised]
    robust: Fit | None = None
    unequal: tuple[str, ...] = ()
    beside: Callable[[Estimate], list[Estimate]] | None = None
    fit_hazards: Callable[[], Fit] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator(ABC):
    """A way to estimate the arms' effects on one outcome, with the options that the protocol may set.

    A subclass is a frozen dataclass whose fields are its options: one of several words, the name of a field of the list
    of pupils (``fields_of_pupils``; empty for none), or a number from 1. ``name``
    is what the protocol calls it, ``kinds`` are the kinds of outcomes that it takes, ``takes_weights`` says whether
    schools may have weights, ``choices`` has the words that each option may be, and ``least`` the smallest number where
    it is not 1.

    Raises
    ------
    EstimationError
        When an option has another value.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    takes_weights: ClassVar[bool] = False
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}
    least: ClassVar[dict[str, int]] = {}
    fields_of_pupils: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Refuse options with another value."""
        for option in fields(self):
            value = getattr(self, option.name)
            allowed = self.choices.get(option.name)
            if allowed and value not in allowed:
                raise self._create_option_error(option.name, value, f"Use one of {', '.join(allowed)}.")
            least = self.least.get(option.name, 1)
            if option.name in self.fields_of_pupils:
                if not isinstance(value, str):
                    raise self._create_option_error(
                        option.name, value, "Name a field of the list of pupils, such as 'class'."
                    )
                continue
            if not allowed and (type(value) is not int or value < least):
                raise self._create_option_error(option.name, value, f"Use a whole number, {least} or more.")

    @property
    def named_fields(self) -> dict[str, str]:
        """The fields of the list of pupils that the options name, by option."""
        named = {option: str(getattr(self, option)) for option in self.fields_of_pupils}
        return {option: name for option, name in named.items() if name}

    def _create_option_error(self, option: str, value: object, remedy: str) -> EstimationError:
        return EstimationError("options", f"the option '{option}' of '{self.name}' is {value!r}.", remedy)

    def for_kind(self, kind: str) -> Estimator:  # noqa: ARG002 -- for the estimators that need it
        """Return the estimator for one of its kinds of outcomes: as it is, unless an option depends on the kind.

        Parameters
        ----------
        kind
            Name of the kind.

        Raises
        ------
        EstimationError
            When an option has a value that outcomes of the kind do not have.
        """
        return self

    @abstractmethod
    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""

    def rows_of_difference(
        self,
        model: ArmModel | None,  # noqa: ARG002 -- for the estimators that need it
        difference: Estimate,
    ) -> list[Estimate]:
        """Return a difference with the rows that belong beside it.

        Parameters
        ----------
        model
            As `fit` returns it; None where nothing could be compared.
        difference
            The arm's difference from the reference, with its cautions.
        """
        return [difference]
