"""A dress rehearsal: simulated data laid out as schools would send them."""

from evaluation.rehearsal.faults import FAULT_KINDS, FaultKind, PlantedFault, Untidiness
from evaluation.rehearsal.layout import INBOX_RULES, inbox_files, lay_out_inbox, lay_out_schools

__all__ = [
    "FAULT_KINDS",
    "INBOX_RULES",
    "FaultKind",
    "PlantedFault",
    "Untidiness",
    "inbox_files",
    "lay_out_inbox",
    "lay_out_schools",
]
