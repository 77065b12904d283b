"""How schools get their arm: design, draw, re-draws, record, balance."""

from randomisation.balance import Variable, balance_table, wwc
from randomisation.design import Arm, Design
from randomisation.draw import Allocation, allocate
from randomisation.joint_balance import balance_test
from randomisation.log import LogEntry, append, verify_log
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
from randomisation.replay import replay
from randomisation.stream import ALGORITHM

__all__ = [
    "ALGORITHM",
    "AllAllocations",
    "Allocation",
    "AllocationRecord",
    "Arm",
    "Design",
    "LogEntry",
    "Variable",
    "Verification",
    "adopt",
    "all_allocations",
    "allocate",
    "allocation_hash",
    "append",
    "balance_table",
    "balance_test",
    "frame_hash",
    "n_allocations",
    "permute_within_strata",
    "replay",
    "verify",
    "verify_log",
    "wwc",
]
