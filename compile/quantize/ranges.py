"""Activation ranges for INT8: what every tensor of a graph takes on over a calibration feed, and where to clip it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from calib.feed import Feed, Inputs
from compile.quantize.graph import session_with
from edge.errors import DataError

BINS = 2048
SAMPLED = 1 << 16
"""Values of a tensor that enter its histogram in one run, evenly spaced; minimum and maximum are over all."""
PERCENTILE = 99.99
METHODS = ("min-max", "percentile", "entropy", "mse")


@dataclass(frozen=True)
class Observed:
    """One tensor over the feed: smallest and largest value, and counts of |x| in BINS bins from 0 to max |x|."""

    low: float
    high: float
    counts: NDArray[np.int64]

    @property
    def magnitude(self) -> float:
        return max(-self.low, self.high, 1e-12)


def observe(model: onnx.ModelProto, feed: Feed) -> dict[str, Observed]:
    """Run the feed twice (range, then histogram) and return what each float32 tensor took on.

    Only histograms are kept, so memory does not grow with the feed. Raises DataError for an empty feed.
    """
    constants = {value.name for value in model.graph.initializer}
    floats = [v for v in model.graph.value_info if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    session = session_with(model, [v.name for v in floats if v.name not in constants])
    computed = [o.name for o in session.get_outputs() if o.type == "tensor(float)"]
    given = [i.name for i in session.get_inputs() if i.type == "tensor(float)"]  # the states of a recurrent network
    names = [*computed, *given]

    def values(inputs: Inputs) -> list[NDArray[np.float32]]:
        return [*session.run(computed, dict(inputs)), *(inputs[name] for name in given)]

    lows, highs = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    runs = 0
    for inputs in feed:
        runs += 1
        for i, array in enumerate(values(inputs)):
            lows[i], highs[i] = min(lows[i], array.min()), max(highs[i], array.max())
    if not runs:
        raise DataError("the calibration feed is empty: choose at least one frame")
    counts = np.zeros((len(names), BINS), np.int64)
    largest = np.maximum(np.maximum(-lows, highs), 1e-12)
    for inputs in feed:
        for i, array in enumerate(values(inputs)):
            flat = np.abs(array.reshape(-1)[:: max(1, array.size // SAMPLED)])
            counts[i] += np.bincount((flat * ((BINS - 1e-3) / largest[i])).astype(np.int64), minlength=BINS)[:BINS]
    return {name: Observed(float(lows[i]), float(highs[i]), counts[i]) for i, name in enumerate(names)}


def clip_range(observed: Observed, method: str, symmetric: bool) -> tuple[float, float]:
    """(low, high) that 256 levels are spread over.

    min-max takes all; percentile the 99.99th of |x|; mse the threshold with the least expected square error, rounding
    (step^2 / 12) plus clipping; entropy the one whose quantised density has the least Kullback-Leibler divergence from
    the true one (Migacz, GTC 2017).
    """
    threshold = observed.magnitude
    if method == "percentile":
        cumulated = np.cumsum(observed.counts)
        threshold *= (np.searchsorted(cumulated, cumulated[-1] * PERCENTILE / 100) + 1) / BINS
    elif method == "mse":
        threshold = _least_square_error(observed, symmetric)
    elif method == "entropy":
        threshold *= _least_divergence(observed.counts) / BINS
    if symmetric:
        return -threshold, threshold
    return max(observed.low, -threshold), min(observed.high, threshold)


def _least_square_error(observed: Observed, symmetric: bool) -> float:
    counts = observed.counts.astype(np.float64)
    centres = (np.arange(BINS) + 0.5) / BINS * observed.magnitude
    beyond = [np.cumsum((counts * centres**power)[::-1])[::-1] for power in range(3)]
    number, total, squares = (np.append(sums, 0.0)[BINS // 16 :] for sums in beyond)
    thresholds = np.arange(BINS // 16, BINS + 1) / BINS * observed.magnitude
    clipping = squares - 2 * thresholds * total + thresholds**2 * number
    widths = (
        2 * thresholds if symmetric else np.minimum(observed.high, thresholds) - np.maximum(observed.low, -thresholds)
    )
    rounding = (widths / 255) ** 2 / 12 * counts.sum()
    return float(thresholds[np.argmin(clipping + rounding)])


def _least_divergence(counts: NDArray[np.int64], levels: int = 128, stride: int = 16) -> int:
    """Number of leading bins to keep."""
    counts = counts.copy()
    counts[0] = counts[1]  # the zeros of ReLU6 are exact at any scale and would decide alone
    best, keep = np.inf, BINS
    for last in range(levels, BINS + 1, stride):
        kept = counts[:last].astype(np.float64)
        true = kept.copy()
        true[-1] += counts[last:].sum()
        groups = np.arange(last) * levels // last
        filled = kept > 0
        sums, sizes = np.bincount(groups, kept, levels), np.bincount(groups, filled, levels)
        merged = np.where(filled, (sums / np.maximum(sizes, 1))[groups], 0)
        if not merged.sum():
            continue
        p, q = true / true.sum(), merged / merged.sum()
        both = (p > 0) & (q > 0)
        lost = p[(p > 0) & (q == 0)].sum()
        divergence = float((p[both] * np.log(p[both] / q[both])).sum()) + lost * 10
        if divergence < best:
            best, keep = divergence, last
    return keep
