"""From the protocol's tables to the specifications of the layers that do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_schema.fields import Field
    from data_schema.intake import InboxRule
    from data_schema.tables import Table
    from evaluation.protocol import FieldSection, Protocol
    from randomisation.design import Design


def tables_of(protocol: Protocol) -> Mapping[str, Table]:
    """Return the standard tables as the protocol changes them, and the trial's own ones, by name."""
    from data_schema.tables import Table, extended, standard_tables

    tables = dict(standard_tables())
    for name, section in protocol.tables.items():
        fields = tuple(_field(item) for item in section.fields)
        if name in tables:
            tables[name] = extended(tables[name], fields, section.without)
        else:
            tables[name] = Table(
                name=name,
                label=section.label,
                fields=fields,
                key=section.key,
                by_wave=bool(section.by_wave),
                about=section.about or "pupil",
            )
    return tables


def _field(section: FieldSection) -> Field:
    from data_schema.fields import Code, Field

    return Field(
        name=section.name,
        type=section.type,
        label=section.label or section.name.replace("_", " "),
        headers=section.headers,
        codes=tuple(Code(name=code.name, label=code.label, synonyms=code.synonyms) for code in section.codes),
        minimum=section.minimum,
        maximum=section.maximum,
        required=section.required,
        unit=section.unit,
        privacy=section.privacy,
    )


def design_of(protocol: Protocol) -> Design:
    """Return the design that draws, and replays, the allocation."""
    from randomisation.design import Arm, Design

    return Design(
        arms=tuple(Arm(name=arm.name, label=arm.label, ratio=arm.ratio) for arm in protocol.design.arms),
        strata=protocol.design.strata,
    )


def inbox_rules_of(protocol: Protocol) -> tuple[InboxRule, ...]:
    """Return which file below inbox/ is which table."""
    from data_schema.intake import InboxRule

    return tuple(
        InboxRule(pattern=rule.pattern, table=rule.table, wave=rule.wave, sheet=rule.sheet) for rule in protocol.inbox
    )
