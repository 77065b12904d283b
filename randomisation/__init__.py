"""How schools get their arm: design, draw, re-draws, record, balance."""

from randomisation.balance import Variable, balance_table, wwc
from randomisation.balance_within import by_stratum, within_strata
from randomisation.commitment import Commitment
from randomisation.constrained import Validity, assignment_probabilities, validity
from randomisation.constraint import Constraint
from randomisation.design import Arm, Design
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
from randomisation.replay import replay
from randomisation.schedule import factorial, stepped_wedge, waiting_list
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
    "factorial",
    "frame_hash",
    "n_allocations",
    "permute_within_strata",
    "replace_school",
    "replay",
    "saturate",
    "stepped_wedge",
    "units_of_schools",
    "validity",
    "verify",
    "verify_log",
    "waiting_list",
    "within_strata",
    "wwc",
]
