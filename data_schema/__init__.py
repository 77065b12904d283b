"""What a trial's data are: fields, tables, files, checks, the store.

Names are imported when they are asked for, so that the command line starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from data_schema.errors import (
    CrocoosError,
    DataError,
    DesignError,
    DisclosureError,
    EstimationError,
    ProtocolError,
    ReportError,
    StaleError,
    StorageError,
)

if TYPE_CHECKING:
    from data_schema.fields import Code, Field
    from data_schema.findings import Finding, Findings
    from data_schema.forms import FormTable, Recipient, entry_workbook
    from data_schema.frames import read_school_frame
    from data_schema.intake import InboxRule, Intake, read_inbox
    from data_schema.language import Catalogue, Language
    from data_schema.pseudonyms import decrypt_key_table, encrypt_key_table, new_identity, pseudonym, pseudonymised
    from data_schema.queries import query_workbook
    from data_schema.school_tables import standard_tables
    from data_schema.store import Store, content_hash, write_store
    from data_schema.tables import Earlier, Table, extended
    from data_schema.xlsforms import FieldForm

__all__ = [
    "Catalogue",
    "Code",
    "CrocoosError",
    "DataError",
    "DesignError",
    "DisclosureError",
    "Earlier",
    "EstimationError",
    "Field",
    "FieldForm",
    "Finding",
    "Findings",
    "FormTable",
    "InboxRule",
    "Intake",
    "Language",
    "ProtocolError",
    "Recipient",
    "ReportError",
    "StaleError",
    "StorageError",
    "Store",
    "Table",
    "content_hash",
    "decrypt_key_table",
    "encrypt_key_table",
    "entry_workbook",
    "extended",
    "new_identity",
    "pseudonym",
    "pseudonymised",
    "query_workbook",
    "read_inbox",
    "read_school_frame",
    "standard_tables",
    "write_store",
]

_LATER = {
    "fields": ("Code", "Field"),
    "findings": ("Finding", "Findings"),
    "forms": ("FormTable", "Recipient", "entry_workbook"),
    "frames": ("read_school_frame",),
    "intake": ("InboxRule", "Intake", "read_inbox"),
    "language": ("Catalogue", "Language"),
    "queries": ("query_workbook",),
    "pseudonyms": ("decrypt_key_table", "encrypt_key_table", "new_identity", "pseudonym", "pseudonymised"),
    "store": ("Store", "content_hash", "write_store"),
    "school_tables": ("standard_tables",),
    "tables": ("Earlier", "Table", "extended"),
    "xlsforms": ("FieldForm",),
}


def __getattr__(name: str) -> object:
    for module, names in _LATER.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
