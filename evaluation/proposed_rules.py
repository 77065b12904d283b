"""What is proposed for the files of a school: rules of the inbox, as TOML, with what intake makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from data_schema.findings import Findings
from data_schema.rules import InboxRule, Wide

if TYPE_CHECKING:
    import pandas as pd

_ORDER = ("pattern", "table", "wave", "sheet", "school_from", "class_from", "headers", "wide")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A rule that was drafted, and what it would make of its files.

    Parameters
    ----------
    rule
        The rule; its wave is empty where nothing tells it and there is one.
    files
        The files that it is for, below the inbox.
    undecided
        What only a person can say, as sentences.
    counts
        Rows sent, kept, asked and refused.
    rows
        The first rows that it gives, without fields that say who a pupil is.
    findings
        What intake says of them.
    """

    rule: InboxRule
    files: tuple[str, ...]
    undecided: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    rows: pd.DataFrame | None = None
    findings: Findings = field(default_factory=Findings)

    @property
    def toml(self) -> str:
        """The rule as the protocol says it."""
        lines = ["[[inbox]]"]
        for key in _ORDER:
            value = getattr(self.rule, key)
            if isinstance(value, Wide):
                value = {
                    name: rule_value
                    for name in ("across", "field", "school_year", "columns")
                    if (rule_value := getattr(value, name))
                }
            if value:
                lines.append(f"{key} = {_format_toml_value(value)}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON values."""
        rows = [] if self.rows is None else json.loads(self.rows.to_json(orient="records", date_format="iso"))
        finding_texts = [str(finding) for finding in self.findings.condensed()]
        return {
            "toml": self.toml,
            "files": list(self.files),
            "undecided": list(self.undecided),
            "counts": dict(self.counts),
            "rows": rows,
            "findings": finding_texts,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """What was made of a file or a folder.

    Parameters
    ----------
    drafts
        The rules, in the order of their files.
    others
        File to why no rule is drafted for it.
    note
        What of the sampling frame could not be used; empty where all of it could.
    """

    drafts: tuple[Proposal, ...]
    others: Mapping[str, str]
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {
            "drafts": [proposal.to_dict() for proposal in self.drafts],
            "others": dict(self.others),
            "note": self.note,
        }


def _format_toml_value(value: object) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(
            f"{_format_toml_key(name)} = {_format_toml_value(inner_value)}" for name, inner_value in value.items()
        )
        return f"{{ {inside} }}"
    return json.dumps(value, ensure_ascii=False)


def _format_toml_key(name: str) -> str:
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else json.dumps(name, ensure_ascii=False)
