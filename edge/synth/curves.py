"""Smooth curves and random textures that the generator is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rng = np.random.Generator


def monotone_curve(x: Sequence[float], y: Sequence[float]) -> Callable[[float | Array], Array]:
    """A C1 curve through the knots that never overshoots them; x ascending, at least three knots.

    Piecewise cubic Hermite with the weighted harmonic mean of neighbouring slopes (Fritsch and Butland 1984).
    Outside the knots the end values hold.
    """
    knots, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
    h, slope = np.diff(knots), np.diff(values) / np.diff(knots)
    w0, w1 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same_sign = slope[:-1] * slope[1:] > 0
    before, after = np.where(same_sign, slope[:-1], 1.0), np.where(same_sign, slope[1:], 1.0)
    # (w0 + w1) / (w0 / before + w1 / after), which would overflow where a slope is next to nothing
    inner = np.where(same_sign, (w0 + w1) * before * after / (w0 * after + w1 * before), 0.0)
    ends = [_end_slope(h[0], h[1], slope[0], slope[1]), _end_slope(h[-1], h[-2], slope[-1], slope[-2])]
    tangent = np.concatenate([[ends[0]], inner, [ends[1]]])

    def curve(at: float | Array) -> Array:
        point = np.clip(np.asarray(at, np.float64), knots[0], knots[-1])
        k = np.clip(np.searchsorted(knots, point, side="right") - 1, 0, len(h) - 1)
        t = (point - knots[k]) / h[k]
        s = 1 - t
        return np.asarray(
            values[k] * (1 + 2 * t) * s**2
            + values[k + 1] * t**2 * (3 - 2 * t)
            + h[k] * t * s * (tangent[k] * s - tangent[k + 1] * t)
        )

    return curve


def _end_slope(h0: float, h1: float, slope0: float, slope1: float) -> float:
    """Three-point slope at an end, limited so that the curve stays monotone."""
    slope = ((2 * h0 + h1) * slope0 - h0 * slope1) / (h0 + h1)
    if slope * slope0 <= 0:
        return 0.0
    if slope0 * slope1 < 0 and abs(slope) > 3 * abs(slope0):
        return float(3 * slope0)
    return float(slope)


def wavy(rng: Rng, count: int, harmonics: int, period: float = 1.5) -> Array:
    """`count` samples of a smooth random curve, about -1 to 1, the amplitude of its k-th harmonic falling as 1/k."""
    k = np.arange(1, harmonics + 1)
    amplitude, phase = rng.normal(size=harmonics) / k, rng.uniform(0, 2 * np.pi, harmonics)
    angle = 2 * np.pi / period * np.outer(np.linspace(0, 1, count), k)
    return np.asarray((np.sin(angle + phase) @ amplitude) / 1.5)


def texture(rng: Rng, shape: tuple[int, int], cell: tuple[float, float]) -> NDArray[np.float32]:
    """A smooth random field of unit variance at its nodes, `cell` (rows, columns) samples apart; float32."""
    nodes = (max(2, int(shape[0] / cell[0]) + 2), max(2, int(shape[1] / cell[1]) + 2))
    grid = rng.standard_normal(nodes, dtype=np.float32)
    return np.asarray(cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def nearest_weights(points: Array, controls: Array, count: int = 8) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """(indices N x count, weights N x count float32 summing to 1) of control points.

    Inverse-distance weights over the `count` nearest, for moving N x 2 points with M x 2 controls; cm.
    """
    squared = (points**2).sum(1)[:, None] + (controls**2).sum(1) - 2 * points @ controls.T
    squared = np.maximum(squared, 0)
    index = np.argpartition(squared, count - 1, axis=1)[:, :count]
    near = np.take_along_axis(squared, index, axis=1)
    weight = 1 / (near + 0.04) ** 1.4
    return index, (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def bezier(start: Array, control: Array, end: Array, count: int) -> Array:
    """count x 2 points of a quadratic Bezier curve."""
    v = np.linspace(0, 1, count)[:, None]
    return np.asarray((1 - v) ** 2 * start + 2 * v * (1 - v) * control + v**2 * end)
