"""What a refused consent, or a missing one, does: the protocol says it, and each stage obeys it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_schema.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from data_schema.erasure import Erased
    from evaluation.folder import TrialFolder
    from evaluation.protocol import Privacy

Pupils = frozenset[tuple[str, str]]
"""School and identifier of pupils."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutConsent:
    """Pupils who did not consent, or what became of their rows.

    Parameters
    ----------
    refused
        Of those whose last answer is no.
    unanswered
        Of those who have no answer, where that is no consent.
    """

    refused: pd.DataFrame
    unanswered: pd.DataFrame


def is_consent_required(privacy: Privacy) -> bool:
    """Whether data of a pupil are used only after a yes: there is a rule, and a missing answer is no consent."""
    return bool(privacy.refusal) and privacy.consent_model == "opt_in"


def find_unanswered_pupils(trial: TrialFolder, frames: Mapping[str, pd.DataFrame]) -> Pupils:
    """Return the pupils who have no answer; nobody where a missing answer is no objection."""
    from data_schema.consent import find_unanswered_pupils

    protocol = trial.protocol
    if not is_consent_required(protocol.privacy):
        return frozenset()
    return find_unanswered_pupils(frames, tables=trial.tables, consent=protocol.privacy.consent)


def find_refusing_pupils(trial: TrialFolder, frames: Mapping[str, pd.DataFrame]) -> Pupils:
    """Return the pupils whose last answer is no."""
    from data_schema.consent import find_refused_pupils

    protocol = trial.protocol
    return find_refused_pupils(frames, tables=trial.tables, consent=protocol.privacy.consent, waves=protocol.wave_names)


def filter_by_consent(trial: TrialFolder, stored: Erased) -> tuple[Erased, Erased, WithoutConsent]:
    """Return the tables without refusals, these without pupils who have no answer, and how many both are.

    Raises
    ------
    DataError
        When pupils refused and the protocol does not say what that means.
    """
    from data_schema.consent import count_refusals
    from data_schema.erasure import remove_by_pseudonym

    refused, unanswered = find_refusing_pupils(trial, stored.frames), find_unanswered_pupils(trial, stored.frames)
    rule = trial.protocol.privacy.refusal
    if refused and not rule:
        n_schools = len({school for school, _ in refused})
        schools = "1 school" if n_schools == 1 else f"{n_schools} schools"
        pupils = "1 pupil" if len(refused) == 1 else f"{len(refused)} pupils"
        raise DataError(
            "trial.toml, [privacy], key 'refusal'",
            f"consent is refused for {pupils} of {schools}, and the protocol does not say what is done with their "
            "data.",
            'Say it: refusal = "exclude" (kept out of everything), "aggregate_only" (counted in tables and estimates, '
            'in no file with rows of pupils) or "keep" (recorded only).',
        )
    counts = WithoutConsent(
        refused=count_refusals(stored.frames, refused=refused),
        unanswered=count_refusals(stored.frames, refused=unanswered),
    )
    first = remove_by_pseudonym(stored.frames, stored.key_table, pseudonyms=_select_excluded_pupils(refused, rule))
    return (
        first,
        remove_by_pseudonym(first.frames, first.key_table, pseudonyms=_select_excluded_pupils(unanswered, rule)),
        counts,
    )


def _select_excluded_pupils(pupils: Pupils, rule: str) -> set[str]:
    return {pupil for _, pupil in pupils} if rule == "exclude" else set()


def count_without_consent(trial: TrialFolder) -> WithoutConsent:
    """Return how many pupils did not consent, as `data_schema.consent.refusals` counts them; of the stored data."""
    from evaluation.stored import open_store

    with open_store(trial) as store:
        facts = store.facts()
    return WithoutConsent(
        refused=_parse_consent_counts(facts.get("refused", "[]")),
        unanswered=_parse_consent_counts(facts.get("unanswered", "[]")),
    )


def _parse_consent_counts(text: str) -> pd.DataFrame:
    import pandas as pd

    from data_schema.consent import REFUSED_COLUMNS

    numbers = {name: "int64" for name in REFUSED_COLUMNS if name.startswith("n_")}
    return pd.DataFrame(json.loads(text), columns=list(REFUSED_COLUMNS)).astype(numbers)
