"""The one gate through which every text leaves intake: what it knows of persons, and what it withholds."""

from data_schema.personal.gate import Gate, gate_of
from data_schema.personal.kinds import Kind, told_of
from data_schema.personal.names import KnownPersons, looks_like_name
from data_schema.personal.shapes import Shapes

__all__ = ["Gate", "Kind", "KnownPersons", "Shapes", "gate_of", "looks_like_name", "told_of"]
