"""The stages of a trial, one per file, and their order."""

from evaluation.stages.order import STAGES, Stage, inputs_of, require, statuses

__all__ = ["STAGES", "Stage", "inputs_of", "require", "statuses"]
