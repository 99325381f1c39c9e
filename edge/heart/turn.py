"""Where a curve turns, and what it is worth there: a short robust fit around the extremum instead of one frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS = 24
"""Moments tried on either side of the first guess."""
ROUNDS = 3
TUKEY = 4.7
"""A frame this many standard deviations off the fit has no weight (Beaton and Tukey 1974)."""
LEAST_SPREAD = 0.004
"""Standard deviation that is taken for granted, as a share of the values."""
FIRM = 1e-3
"""Keeps a side without frames solvable."""

REACH_S, REACH_FRAMES, REACH_SHARE = 0.12, 2.6, 0.25


def reach_of(period_s: float, apart_s: float | None) -> float:
    """Seconds on either side of an extremum that its fit takes: at most REACH_S, at most REACH_SHARE of the way to the
    extremum before it (`apart_s`, None where none is known), but REACH_FRAMES frames of `period_s` at least."""
    share_s = REACH_S if apart_s is None else REACH_SHARE * abs(apart_s)
    return max(REACH_FRAMES * period_s, min(REACH_S, share_s))


def dwell(times_s: Array, values: Array, depth: float) -> tuple[float, float]:
    """(from, to) in s of the stretch around the lowest value in which the curve is no more than `depth` above it.

    Around ED and ES the heart hardly moves for several frames. Noise decides which of them is the extreme one, but not
    when the curve leaves and comes back. One frame off the others is passed over. times_s and values N >= 3.
    """
    smooth = _windows(np.median(_windows(values), axis=1)).mean(1)
    limit, lowest = smooth.min() + depth, int(smooth.argmin())
    first = last = lowest
    while first > 0 and smooth[first - 1] <= limit:
        first -= 1
    while last + 1 < len(smooth) and smooth[last + 1] <= limit:
        last += 1
    return _crossing(times_s, smooth, limit, first, first - 1), _crossing(times_s, smooth, limit, last, last + 1)


def _windows(values: Array) -> Array:
    """N x 3: each value with its neighbours, the ends with themselves."""
    return np.stack([np.append(values[0], values[:-1]), values, np.append(values[1:], values[-1])], axis=1)


def _crossing(times_s: Array, values: Array, limit: float, inside: int, outside: int) -> float:
    """When the curve passes `limit` between two neighbouring samples; that of `inside` where there is no other."""
    if not 0 <= outside < len(values):
        return float(times_s[inside])
    share = (limit - values[inside]) / (values[outside] - values[inside])
    return float(times_s[inside] + share * (times_s[outside] - times_s[inside]))


def fit_turn(times_s: Array, values: Array, about_s: float, slack_s: float) -> tuple[float, Array]:
    """(moment of the extremum in s, weight 0-1 of each sample) near `about_s`, at most `slack_s` away.

    Each side is its own parabola, a + b (t - t0)^2, since a heart fills faster than it empties; t0 is the moment with
    the least squares, samples that lie off the curve having been weighed down. times_s and values N.
    """
    moments = about_s + np.linspace(-slack_s, slack_s, 2 * STEPS + 1)
    designs = _design(times_s[None], moments[:, None])
    weights, best = np.ones(len(times_s)), len(moments) // 2
    for _ in range(ROUNDS):
        coefficients = _solve(designs, weights, values[:, None])
        residuals = values - (designs @ coefficients)[..., 0]
        best = int(np.argmin((weights * residuals**2).sum(1)))
        spread = max(1.4826 * float(np.median(np.abs(residuals[best]))), LEAST_SPREAD * float(np.abs(values).mean()))
        weights = np.clip(1 - (residuals[best] / (TUKEY * spread)) ** 2, 0, None) ** 2
    return float(moments[best]), weights


def value_at_turn(times_s: Array, rows: Array, moment_s: float, weights: Array) -> Array:
    """What M curves are worth at a moment where they turn, from N samples (N x M) with the weights of `fit_turn`."""
    return np.asarray(_solve(_design(times_s, np.asarray(moment_s))[None], weights, rows)[0, 0], np.float64)


def _design(times_s: Array, moments: Array) -> Array:
    apart = times_s - moments
    return np.stack([np.ones_like(apart), np.minimum(apart, 0) ** 2, np.maximum(apart, 0) ** 2], axis=-1)


def _solve(designs: Array, weights: Array, rows: Array) -> Array:
    """Weighted least squares of each design (G x N x 3) to the rows (N x M): G x 3 x M."""
    weighted = designs * weights[:, None]
    normal = np.swapaxes(designs, 1, 2) @ weighted
    scale = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    curvature = normal[:, [1, 2], [1, 2]].max(1)[:, None]
    firm = np.zeros_like(normal)
    firm[:, [1, 2], [1, 2]] = FIRM * np.maximum(curvature, 1e-12 * scale[:, :, 0])
    firm[:, 0, 0] = 1e-9
    return np.asarray(np.linalg.solve(normal + firm, np.swapaxes(weighted, 1, 2) @ rows), np.float64)
