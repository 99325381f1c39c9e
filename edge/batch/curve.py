"""The LV's area or volume over a clip as inline SVG, with its axes, units, ED and ES."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from edge.batch.seen import Array, Curve
from edge.picture.palette import AMBER, QUALITY_COLOURS, Colour

WIDTH, HEIGHT = 680, 210
LEFT, TOP, RIGHT, BOTTOM = 58, 22, 14, 40
TICKS = 5
"""As many figures an axis at most."""
MIN_SHARE = 0.5
"""Of the frames with an area, those with a volume must be this share for the volume to be shown."""
GAP = 2.5
"""Frame periods without a measurement that break the line."""
PAD = 0.08


def rgb(colour: Colour) -> str:
    """A colour of the palette in CSS."""
    return "rgb({}, {}, {})".format(*colour)


def curve_svg(curve: Curve, marks: Sequence[tuple[str, float]]) -> str:
    """The volume where it is known, else the area, in cm2 or in pixels; "" where nothing was measured."""
    values, title, unit = _shown(curve)
    finite = np.isfinite(values)
    if not finite.any():
        return ""
    times = curve.times_s
    low, high = _padded(float(values[finite].min()), float(values[finite].max()))
    start, end = float(times[0]), max(float(times[-1]), float(times[0]) + 1e-3)

    def x(time_s: float) -> float:
        return LEFT + (time_s - start) / (end - start) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    across = "".join(
        f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="grid"/>'
        f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{tick:g}</text>'
        for tick in ticks(start, end)
    )
    down = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="grid"/>'
        f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in ticks(low, high)
    )
    lines = "".join(
        f'<polyline points="{" ".join(f"{x(times[k]):.1f},{y(values[k]):.1f}" for k in piece)}" fill="none" '
        f'stroke="{rgb(QUALITY_COLOURS[-1])}" stroke-width="1.8" stroke-linejoin="round"/>'
        for piece in _pieces(times, finite)
    )
    on_line = [(kind, time_s, value) for kind, time_s in marks if (value := _at(times, values, time_s)) is not None]
    points = "".join(_mark(kind, x(time_s), y(value)) for kind, time_s, value in on_line)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return (
        f'<svg role="img" aria-label="{escape(title)} over time" viewBox="0 0 {WIDTH} {HEIGHT}">{across}{down}{lines}'
        f'{points}<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">time (s)</text>'
        f'<text x="13" y="{middle}" text-anchor="middle" transform="rotate(-90 13 {middle})">'
        f"{escape(f'{title} ({unit})')}</text></svg>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Round figures within an axis, TICKS at most."""
    rough = (high - low) / TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = np.ceil(low / step - 1e-9)
    return [round(float(k * step), 10) + 0.0 for k in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def _shown(curve: Curve) -> tuple[Array, str, str]:
    """What is drawn, its name and its unit."""
    areas = np.count_nonzero(np.isfinite(curve.area_px))
    if np.count_nonzero(np.isfinite(curve.volume_ml)) > MIN_SHARE * areas:
        return curve.volume_ml, "LV volume", "ml"
    if np.count_nonzero(np.isfinite(curve.area_cm2)) > MIN_SHARE * areas:
        return curve.area_cm2, "LV area", "cm²"
    return curve.area_px, "LV area", "pixels"


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = max(PAD * (high - low), 0.01 * abs(high), 1e-6)
    return max(0.0, low - margin), high + margin


def _pieces(times: Array, finite: np.ndarray) -> list[list[int]]:
    """Indices of the frames that a line joins."""
    pieces: list[list[int]] = []
    reach_s = GAP * _period(times)
    for k in np.flatnonzero(finite).tolist():
        if pieces and times[k] - times[pieces[-1][-1]] <= reach_s:
            pieces[-1].append(k)
        else:
            pieces.append([k])
    return pieces


def _period(times: Array) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _at(times: Array, values: Array, time_s: float) -> float | None:
    """The value shown nearest to a moment, None where no line comes near it."""
    finite = np.flatnonzero(np.isfinite(values))
    nearest = finite[np.argmin(np.abs(times[finite] - time_s))]
    return float(values[nearest]) if abs(times[nearest] - time_s) <= GAP * _period(times) + 1e-9 else None


def _mark(kind: str, x: float, y: float) -> str:
    """An ED above the line, an ES below it."""
    at = y - 8 if kind == "ED" else y + 17
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{rgb(AMBER)}" stroke="#5a4300"/>'
        f'<text x="{x:.1f}" y="{at:.1f}" text-anchor="middle" class="mark">{escape(kind)}</text>'
    )
