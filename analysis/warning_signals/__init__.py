"""The early-warning signals themselves: whether they find who leaves, in time, everywhere and for everyone alike."""

from analysis.warning_signals.combined import SignalShares, signal_shares
from analysis.warning_signals.evaluation import SignalPerformance, SignalQuestion, evaluate_signals
from analysis.warning_signals.measures import area_under_curve, flags_at_capacity

__all__ = [
    "SignalPerformance",
    "SignalQuestion",
    "SignalShares",
    "area_under_curve",
    "evaluate_signals",
    "flags_at_capacity",
    "signal_shares",
]
