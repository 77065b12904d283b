"""README.md of an export: what is in it, and how alike the pupils in it are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_schema.anonymity import Anonymity, Quasi
    from evaluation.trial import Trial

NAME = "README.md"


def export_note(trial: Trial, country: str, found: Anonymity, *, wanted: int | None) -> str:
    """Return the text: k, the quasi-identifiers, and what was coarsened, suppressed or left out, and why.

    Parameters
    ----------
    trial, country
        Whose data they are.
    found
        How alike the pupils are.
    wanted
        The k that was asked for; None where nothing was to be coarsened.
    """
    place = trial.protocol.countries[country]
    lines = [f"# {trial.protocol.trial.title}: data of {place}", ""]
    lines += ["Rows of pupils under pseudonyms. `codebook.csv` and the pages beside it say what each field is.", ""]
    lines += ["## k-anonymity", "", *_k(found), "", *_done(found, wanted), ""]
    return "\n".join(lines)


def _k(found: Anonymity) -> list[str]:
    if not found.n_pupils:
        return ["There are no rows of pupils."]
    names = [f"`{one.table}.{one.field}`" for one in found.fields]
    return [
        f"**k = {found.k}**: of a school's pupils with the same quasi-identifiers, the smallest group has "
        f"{_pupils(found.k)}.",
        f"{_pupils(found.n_pupils)} are in {found.n_groups} groups; {found.n_unique} are unique.",
        "",
        "Quasi-identifiers are what people who know a pupil may know. The protocol's tables declare them with",
        f'`privacy = "quasi_identifier"`: {", ".join(names) if names else "none, so that only the school counts"}.',
    ]


def _done(found: Anonymity, wanted: int | None) -> list[str]:
    if wanted is None:
        return [
            "Nothing was coarsened. `crocoos export` with `--k 5` coarsens until each group has five pupils or more."
        ]
    changed = [f"- `{one.table}.{one.field}`: {_how(one)}" for one in found.fields if one.band > 1 or one.is_left_out]
    lines = [f"Coarsened so that each group has {wanted} pupils or more:", ""]
    lines += changed or ["- no field for all pupils"]
    lines.append(
        f"- {_pupils(found.n_suppressed)}: all quasi-identifiers suppressed, because their group was too small"
    )
    lines.append(f"- {_pupils(found.n_left_out)}: left out of all files, because their school has fewer than {wanted}")
    return lines


def _how(one: Quasi) -> str:
    if one.is_left_out:
        return "not given, because groups would be too small"
    return f"in bands of {one.band}, each given by its least value, because groups would be too small"


def _pupils(n: int) -> str:
    return "1 pupil" if n == 1 else f"{n:,} pupils"
