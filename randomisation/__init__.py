"""How schools get their arm: design, draw, re-draws, record, balance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from randomisation.arms import Arm
    from randomisation.balance import Variable, balance_table, wwc
    from randomisation.balance_within import by_stratum, within_strata
    from randomisation.commitment import Commitment
    from randomisation.constrained import Validity, assignment_probabilities, validity
    from randomisation.constraint import Constraint
    from randomisation.design import Design
    from randomisation.draw import Allocation, allocate
    from randomisation.joint_balance import balance_test
    from randomisation.later import Replacement, extend, replace_school
    from randomisation.log import LogEntry, append, verify_log
    from randomisation.matching import Matching
    from randomisation.minimised import Minimisation
    from randomisation.minimising import Minimising
    from randomisation.permuted import permute_within_strata
    from randomisation.possible import AllAllocations, all_allocations, n_allocations
    from randomisation.record import (
        AllocationRecord,
        Verification,
        adopt,
        allocation_hash,
        frame_hash,
        verify,
    )
    from randomisation.redraws import replay
    from randomisation.stream import ALGORITHM
    from randomisation.within_schools import Saturation, saturate, units_of_schools

__all__ = [
    "ALGORITHM",
    "AllAllocations",
    "Allocation",
    "AllocationRecord",
    "Arm",
    "Commitment",
    "Constraint",
    "Design",
    "LogEntry",
    "Matching",
    "Minimisation",
    "Minimising",
    "Replacement",
    "Saturation",
    "Validity",
    "Variable",
    "Verification",
    "adopt",
    "all_allocations",
    "allocate",
    "allocation_hash",
    "append",
    "assignment_probabilities",
    "balance_table",
    "balance_test",
    "by_stratum",
    "extend",
    "frame_hash",
    "n_allocations",
    "permute_within_strata",
    "replace_school",
    "replay",
    "saturate",
    "units_of_schools",
    "validity",
    "verify",
    "verify_log",
    "within_strata",
    "wwc",
]

_HOMES = {
    "ALGORITHM": "randomisation.stream",
    "AllAllocations": "randomisation.possible",
    "Allocation": "randomisation.draw",
    "AllocationRecord": "randomisation.record",
    "Arm": "randomisation.arms",
    "Commitment": "randomisation.commitment",
    "Constraint": "randomisation.constraint",
    "Design": "randomisation.design",
    "LogEntry": "randomisation.log",
    "Matching": "randomisation.matching",
    "Minimisation": "randomisation.minimised",
    "Minimising": "randomisation.minimising",
    "Replacement": "randomisation.later",
    "Saturation": "randomisation.within_schools",
    "Validity": "randomisation.constrained",
    "Variable": "randomisation.balance",
    "Verification": "randomisation.record",
    "adopt": "randomisation.record",
    "all_allocations": "randomisation.possible",
    "allocate": "randomisation.draw",
    "allocation_hash": "randomisation.record",
    "append": "randomisation.log",
    "assignment_probabilities": "randomisation.constrained",
    "balance_table": "randomisation.balance",
    "balance_test": "randomisation.joint_balance",
    "by_stratum": "randomisation.balance_within",
    "extend": "randomisation.later",
    "frame_hash": "randomisation.record",
    "n_allocations": "randomisation.possible",
    "permute_within_strata": "randomisation.permuted",
    "replace_school": "randomisation.later",
    "replay": "randomisation.redraws",
    "saturate": "randomisation.within_schools",
    "units_of_schools": "randomisation.within_schools",
    "validity": "randomisation.constrained",
    "verify": "randomisation.record",
    "verify_log": "randomisation.log",
    "within_strata": "randomisation.balance_within",
    "wwc": "randomisation.balance",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: every command reads the kinds of designs, few draw."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'randomisation' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
