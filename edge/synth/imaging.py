"""From scatterers to a B-mode picture: deposit, point spread, gain and clutter, log compression, scan conversion.

The convolution approach of Gao et al. 2009 (COLE) in baseband: each scatterer adds its amplitude with the exact two-way
phase exp(-j 4 pi r / wavelength) to a polar grid, so that speckle moves smoothly at sub-sample steps (Storve et al.
2017). Polar arrays have shape (samples, lines); complex ones are float32 with a last axis (real, imaginary).
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.synth.curves import Array, texture
from edge.synth.settings import FIELD_STREAM, ScanSettings

Floats = NDArray[np.float32]
BANDS = 14
TOP_PX = 0.0075
"""Margin above the sector's tip, as a share of the picture."""
PROBE_CM = 0.15
CURVE_STEPS = 2048
CURVE_LOW, CURVE_HIGH = -1.0, 2.0
SIDE_LOBE_RAD = float(np.deg2rad(9))


def power(iq: Floats) -> Floats:
    """Squared magnitude of an array whose last axis is (real, imaginary)."""
    re, im = iq[..., 0], iq[..., 1]
    return re * re + im * im


class PolarGrid:
    """Samples x lines over depth and angle, and where a point in cm lies on it."""

    def __init__(self, scan: ScanSettings) -> None:
        self.shape = (scan.samples, scan.lines)
        self.half_fov, self.wavelength = scan.fov / 2, scan.wavelength
        self.dr, self.dtheta = scan.depth / scan.samples, scan.fov / (scan.lines - 1)
        self.r = (np.arange(scan.samples) + 0.5) * self.dr
        self.steer, self.tip = scan.steer, scan.tip
        self.theta = np.linspace(-self.half_fov, self.half_fov, scan.lines)
        # The area of a cell grows with depth: keep the power of a uniform medium constant.
        self._area = (1 / np.sqrt(np.maximum(self.r, 0.6) / 7))[:, None, None].astype(np.float32)

    def place(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
        """(line, sample, r) of points in cm, fractional, sample centres at integers; y > 0. r is measured from
        the probe's face.
        """
        y = y + self.tip
        r = np.sqrt(x * x + y * y) - self.tip
        line = (np.arctan(x / np.maximum(y, 1e-3)) - self.steer + self.half_fov) / self.dtheta
        return line, r / self.dr - 0.5, r

    def deposit(self, x: Floats, y: Floats, amplitude: Floats) -> Floats:
        """Baseband sum of scatterers, samples x lines x 2."""
        rows, lines = self.shape
        line, sample, r = self.place(x, y)
        row, column = np.floor(sample).astype(np.intp), np.floor(line).astype(np.intp)
        inside = (row >= 0) & (row < rows - 1) & (column >= 0) & (column < lines - 1)
        keep = np.flatnonzero(inside)
        row, column = row[keep], column[keep]
        v, u = sample[keep] - row, line[keep] - column
        angle = r[keep] * np.float32(4 * np.pi / self.wavelength)
        strength = amplitude[keep]
        re, im = strength * np.cos(angle), -strength * np.sin(angle)
        index = row * lines + column
        total = rows * lines
        out = np.zeros((2, total))
        for part, value in enumerate((re, im)):
            low, high = value * (1 - v), value * v
            for offset, near in ((0, low), (lines, high)):
                right = near * u
                out[part] += np.bincount(index + offset, near - right, total)
                out[part] += np.bincount(index + (offset + 1), right, total)
        iq = np.ascontiguousarray(out.T.reshape(rows, lines, 2), np.float32)
        iq *= self._area
        return iq

    def fill(self, polygon: Array, into: NDArray[np.uint8], value: int) -> None:
        """Fill a closed polygon (N x 2, cm), its closing edge as straight as in the plane."""
        closing = np.linspace(polygon[-1], polygon[0], 12)
        line, sample, _ = self.place(*np.concatenate([polygon, closing]).T)
        cv2.fillPoly(into, [np.round(np.stack([line, sample], axis=1)).astype(np.int32)], value)


class PointSpread:
    """Separable point spread: a fixed pulse along the beam, a width across it that grows away from the focus."""

    def __init__(self, scan: ScanSettings, grid: PolarGrid) -> None:
        self._axial = max(0.5, scan.axial / grid.dr)
        wanted = np.clip(np.sqrt(1 + ((grid.r - scan.focus) / 5) ** 2), 1, 1.9)
        edges = np.linspace(0, len(grid.r), BANDS + 1).astype(int)
        self._bands = [(a, b, float(wanted[a:b].mean() * scan.lateral / grid.dtheta / 1.2)) for a, b in pairwise(edges)]
        self._side_lobe = 3 * 10 ** (scan.side_lobe_db / 20)
        self._side_sigma = SIDE_LOBE_RAD / grid.dtheta / 4

    def apply(self, iq: Floats, side_lobes: bool = True) -> Floats:
        """samples x lines x 2 float32, blurred."""
        size = 2 * int(3 * self._axial + 0.5) + 1
        pulse = cv2.GaussianBlur(iq, (1, max(3, size)), sigmaX=0.1, sigmaY=self._axial)
        out = np.empty_like(iq)
        for first, last, sigma in self._bands:
            width = 2 * int(3 * sigma + 0.5) + 1
            beam = cv2.GaussianBlur(pulse[first:last], (max(3, width), 1), sigmaX=sigma, sigmaY=0.1)
            # A wider beam gathers more scatterers: keep the power of speckle the same at all depths.
            np.multiply(beam, np.float32(np.sqrt(sigma)), out=out[first:last])
        if side_lobes:
            rows, lines = iq.shape[:2]
            small = cv2.resize(out, (max(8, lines // 4), rows), interpolation=cv2.INTER_AREA)
            width = 2 * int(2.5 * self._side_sigma) + 1
            small = cv2.GaussianBlur(small, (width, 1), sigmaX=self._side_sigma, sigmaY=0.1)
            out += np.float32(self._side_lobe) * cv2.resize(small, (lines, rows), interpolation=cv2.INTER_LINEAR)
        return out


class Acoustics:
    """What does not move with the tissue: gain and shadows (`gain`), near-field clutter and haze, the level of noise.

    dB relative to the mean myocardium; all arrays are polar.
    """

    def __init__(self, scan: ScanSettings, grid: PolarGrid, spread: PointSpread) -> None:
        rng = np.random.default_rng([scan.seed, FIELD_STREAM])
        r, shape = grid.r, grid.shape
        along = scan.tgc_db_per_cm * (r - 7) - scan.near_loss_db * np.exp(-r / 2)
        along = along + 2.5 * np.exp(-(((r - scan.focus) / 4.5) ** 2))
        rim = np.abs(grid.theta) / grid.half_fov
        coupling = cv2.GaussianBlur(rng.standard_normal((1, shape[1])), (0, 0), shape[1] / 18)[0] * rng.uniform(0, 10)
        across = coupling - rng.uniform(2, 12) * np.clip((rim - 0.72) / 0.28, 0, 1) ** 1.5
        db = along[:, None] + across[None]
        for _ in range(rng.poisson(0.2 + 1.8 * scan.severity)):
            centre, width = (
                rng.choice([-1, 1]) * rng.uniform(0.3, 1.05) * grid.half_fov,
                np.deg2rad(rng.uniform(2.5, 10)),
            )
            begin, loss = rng.uniform(0.5, 5), rng.uniform(6, 30) * (0.3 + 0.7 * scan.severity)
            beam = np.exp(-(np.abs((grid.theta - centre) / width) ** 3))
            db -= loss * beam[None] / (1 + np.exp(-(r - begin) / 0.4))[:, None]
        self.gain: Floats = (10 ** (db / 20)).astype(np.float32)[:, :, None]

        def speckle() -> Floats:
            return rng.standard_normal((*shape, 2), dtype=np.float32)

        self.unit = 1 / float(np.sqrt(power(spread.apply(speckle(), False)).mean()))
        """Makes point-spread white noise of two unit normals have unit power."""
        near_db = scan.near_clutter_db - 8.7 * (r / scan.near_clutter_cm) + 12
        # Echoes between the skin and the probe repeat at equal distances: bright arcs under the transducer.
        period, sharp = rng.uniform(0.25, 0.6), rng.uniform(0.3, 1.6)
        arcs = 1 + sharp * np.cos(2 * np.pi * r / period + rng.uniform(0, 6)) * np.exp(-r / 2)
        near = (10 ** (near_db / 20) * np.maximum(arcs, 0.05))[:, None] * 10 ** (texture(rng, shape, (60, 25)) * 4 / 20)
        middle, length = rng.uniform(0, 0.7) * scan.depth, rng.uniform(2.5, 7)
        depth_profile = (0.45 + np.exp(-(((r - middle) / length) ** 2))) * (0.75 + 1.6 * (r / scan.depth) ** 2)
        haze = 0.7 * 10 ** (scan.haze_db / 20) * depth_profile[:, None] * 10 ** (texture(rng, shape, (90, 40)) * 5 / 20)
        self._near, self._haze_a, self._haze_b = (
            (spread.apply(speckle() * level[:, :, None].astype(np.float32), False) * self.unit)
            for level in (near, haze, haze)
        )
        noise_db = scan.noise_db + scan.noise_db_per_cm * r + 0.5 * along
        self.noise: Floats = (10 ** (noise_db / 20)).astype(np.float32)[:, None, None]

    def clutter(self, phase: float) -> Floats:
        """Clutter without noise, samples x lines x 2; the haze turns once in a cycle, so that a loop has no seam."""
        turn = 2 * np.pi * phase
        return np.asarray(
            self._near + np.float32(np.cos(turn)) * self._haze_a + np.float32(np.sin(turn)) * self._haze_b, np.float32
        )


class GreyCurve:
    """dB relative to the mean myocardium to 8-bit grey, with a soft toe and shoulder."""

    def __init__(self, scan: ScanSettings) -> None:
        self.reference_db = 0.0
        self._slope = 1 / scan.dynamic_range_db
        grey = scan.wall_grey + np.linspace(CURVE_LOW, CURVE_HIGH, CURVE_STEPS)
        knee = 1 - scan.shoulder
        grey = np.where(grey > knee, knee + scan.shoulder * np.tanh((grey - knee) / scan.shoulder), grey)
        grey = np.where(grey < 0.08, 0.08 * np.exp(np.minimum((grey - 0.08) / 0.08, 0)), grey)
        self._table = np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)

    def apply(self, db: Floats) -> NDArray[np.uint8]:
        """Grey of an array of dB."""
        scale = (CURVE_STEPS - 1) / (CURVE_HIGH - CURVE_LOW)
        step = (db - np.float32(self.reference_db)) * np.float32(self._slope * scale) - np.float32(CURVE_LOW * scale)
        return np.asarray(self._table[np.clip(step, 0, CURVE_STEPS - 1).astype(np.uint16)], np.uint8)


class ScanConverter:
    """Polar to a square picture of size_px with the sector centred below its top. `px_cm` is its scale.

    A mirrored picture has left and right exchanged, an upside-down one the probe at the bottom.
    """

    def __init__(
        self, scan: ScanSettings, grid: PolarGrid, size_px: int, mirrored: bool = False, upside_down: bool = False
    ) -> None:
        self.size_px, self.grid = size_px, grid
        self._mirrored, self._upside_down = mirrored, upside_down
        # An arc that is steered beyond the vertical does not reach its depth at the probe's axis.
        left, right = ((scan.depth + scan.tip) * float(np.sin(scan.steer + side * scan.fov / 2)) for side in (-1, 1))
        self._centre = (left + right) / 2
        self.px_cm = size_px * 0.985 / max(scan.depth, right - left)
        xs = (np.arange(size_px) - size_px / 2 + 0.5) / self.px_cm + self._centre
        ys = (np.arange(size_px) + 0.5 - size_px * TOP_PX) / self.px_cm
        xs, ys = xs[:: -1 if mirrored else 1], ys[:: -1 if upside_down else 1]
        x, y = np.meshgrid(xs, ys)
        line, sample, r = grid.place(x, y)
        angle = np.arctan2(x, y + scan.tip) - scan.steer
        inside = (np.abs(angle) <= grid.half_fov) & (r <= scan.depth) & (r > PROBE_CM) & (y > 0)
        self.sector: NDArray[np.bool_] = inside
        # Outside the sector the map points far off the grid, where remap gives black.
        line, sample = np.where(inside, line, -100), np.where(inside, np.clip(sample, 0, grid.shape[0] - 1), -100)
        self._float_maps = line.astype(np.float32), sample.astype(np.float32)
        self._maps = cv2.convertMaps(*self._float_maps, cv2.CV_16SC2)

    def picture(self, polar: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """size_px x size_px uint8, black outside the sector."""
        return np.asarray(cv2.remap(polar, *self._maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.uint8)

    def values(self, polar: Floats) -> Floats:
        """The same for a float32 polar array; 0 outside the sector."""
        return np.asarray(
            cv2.remap(polar, *self._float_maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32
        )

    def pixels(self, points: Array) -> Array:
        """(x, y) pixels of N x 2 points in cm; pixel centres at integers."""
        x = (points[:, 0] - self._centre) * self.px_cm + self.size_px / 2 - 0.5
        y = points[:, 1] * self.px_cm + self.size_px * TOP_PX - 0.5
        last = self.size_px - 1
        return np.stack([last - x if self._mirrored else x, last - y if self._upside_down else y], axis=1)
