"""What a refused consent does: the protocol says it, and each stage obeys it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from data_schema.errors import DataError
from evaluation.specifications import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from data_schema.erasure import Erased
    from evaluation.trial import Trial


def refused_of(trial: Trial, frames: Mapping[str, pd.DataFrame]) -> frozenset[tuple[str, str]]:
    """Return school and identifier of the pupils whose last answer is no."""
    from data_schema.consent import refused_pupils

    protocol = trial.protocol
    return refused_pupils(
        frames, tables=tables_of(protocol), consent=protocol.privacy.consent, waves=protocol.wave_names
    )


def by_consent(trial: Trial, stored: Erased) -> tuple[Erased, pd.DataFrame]:
    """Return the tables that may be stored, and how many pupils refused.

    Raises
    ------
    DataError
        When pupils refused and the protocol does not say what that means.
    """
    from data_schema.consent import refusals
    from data_schema.erasure import left_out

    refused = refused_of(trial, stored.frames)
    rule = trial.protocol.privacy.refusal
    if refused and not rule:
        n_schools = len({school for school, _ in refused})
        raise DataError(
            "trial.toml, [privacy], key 'refusal'",
            f"consent is refused for {len(refused)} pupils of {n_schools} schools, and the protocol does not say what "
            "is done with their data.",
            'Say it: refusal = "exclude" (kept out of everything), "aggregate_only" (counted in tables and estimates, '
            'in no file with rows of pupils) or "keep" (recorded only).',
        )
    counts = refusals(stored.frames, refused=refused)
    is_out = {pupil for _, pupil in refused} if rule == "exclude" else set()
    return left_out(stored.frames, stored.key_table, pseudonyms=is_out), counts


def refusal_counts(trial: Trial) -> pd.DataFrame:
    """Return how many pupils refused, as `data_schema.consent.refusals` counts them; those of the stored data."""
    import pandas as pd

    from data_schema.consent import REFUSED_COLUMNS
    from evaluation.stages.collect import opened_store

    with opened_store(trial) as store:
        rows = json.loads(store.facts().get("refused", "[]"))
    numbers = {name: "int64" for name in REFUSED_COLUMNS if name.startswith("n_")}
    return pd.DataFrame(rows, columns=list(REFUSED_COLUMNS)).astype(numbers)
