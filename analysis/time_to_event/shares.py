"""The share of pupils who had an event by a time, where not all were seen so long: by Kaplan and Meier, by pupil."""

from __future__ import annotations

import numpy as np


def pseudo_values(time: np.ndarray, event: np.ndarray, *, horizon: float) -> np.ndarray:
    """Return each pupil's part in the share who had the event by a time, as numbers whose mean is that share.

    Parameters
    ----------
    time
        Shape (N,), when the event came or the pupil was last seen; 0 or more.
    event
        Shape (N,), true where it came.
    horizon
        In units of the time; an event at this very time counts.

    Returns
    -------
    numpy.ndarray
        Shape (N,). Their mean is one less the estimate of Kaplan and Meier. Without anyone who was last seen before
        the horizon they are 1 for pupils with the event and 0 for the others.

    References
    ----------
    Andersen, Klein and Rosthøj (2003), Biometrika 90, 15-27, for the idea; Parner, Andersen and Overgaard (2023),
    Lifetime Data Analysis 29, 654-671, for pseudo-observations by the infinitesimal jackknife, which these are: the
    estimate plus N times its derivative by the pupil's weight, as R's ``survival::pseudo`` has it.

    Examples
    --------
    >>> pseudo_values(np.array([1.0, 2, 3, 9]), np.array([True, False, True, False]), horizon=4).tolist()
    [1.0, 0.5, 1.25, -0.25]
    """
    n = len(time)
    moments, place = np.unique(time, return_inverse=True)
    at_risk = (n - np.searchsorted(np.sort(time), moments, side="left")).astype(float)
    events = np.bincount(place, weights=event, minlength=len(moments)) * (moments <= horizon)
    left = at_risk - events
    if not left.all():
        return np.ones(n)  # all who were left had it: nobody is without the event
    staying = float(np.prod(left / at_risk))
    # Derivatives of the logarithm of the share without the event: the pupil's own event, and its being at risk.
    event_part = np.where(event & (time <= horizon), 1 / left[place], 0.0)
    exposed = np.cumsum(events / (at_risk * left))[place]
    return np.asarray((1 - staying) + n * staying * (event_part - exposed))
