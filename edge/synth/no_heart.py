"""Pictures with no heart in them: organs, phantoms, linear arrays, air, and what is no ultrasound at all."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.synth.curves import Rng, texture, wavy
from edge.synth.imaging import Acoustics, Floats, GreyCurve, PointSpread, PolarGrid, ScanConverter, power
from edge.synth.settings import NOISE_STREAM, ScanSettings, draw_scan, vary_scan

Picture = NDArray[np.uint8]
ECHOES = ("liver", "kidney", "phantom", "muscle", "air")
"""Made by the same image formation as hearts, in a sector."""
WORDS = ["DEPTH", "GAIN", "File", "Edit", "View", "12.5 cm", "MI 0.8", "PATIENT", "Report", "OK", "save as"]


def no_heart_picture(seed: int, kind: str, size_px: int = 473) -> Picture:
    """size_px x size_px uint8 of one of NO_HEART, always the same for a seed. Raises SourceError for another kind."""
    rng = np.random.default_rng([seed, NOISE_STREAM, 5])
    if kind in ECHOES:
        return _echo(seed, kind, size_px, rng)
    if kind not in PLAIN:
        raise SourceError(f"'{kind}' is not a picture without a heart; they are {', '.join(NO_HEART)}")
    picture = PLAIN[kind](size_px, rng)
    return picture * fan(size_px, rng) if kind in IN_FANS and rng.random() < 0.6 else picture


def fan(size_px: int, rng: Rng) -> Picture:
    """1 inside a sector of drawn shape with its tip at the top, else 0; size_px x size_px uint8."""
    y, x = np.mgrid[:size_px, :size_px] / size_px
    y, x = y + rng.uniform(-0.03, 0.2), x - 0.5 - rng.uniform(-0.06, 0.06)
    far = rng.uniform(0.9, 1.05) + float(y[0, 0])
    inside = (np.abs(np.arctan2(x, y)) < rng.uniform(0.45, 0.8)) & (np.hypot(x, y) < far)
    return np.asarray(inside, np.uint8)


def _echo(seed: int, kind: str, size_px: int, rng: Rng) -> Picture:
    scan = vary_scan(draw_scan(seed, "A4C"), seed)
    grid = PolarGrid(scan)
    spread = PointSpread(scan, grid)
    acoustics = Acoustics(scan, grid, spread)
    r, theta = np.meshgrid(grid.r, grid.theta, indexing="ij")
    x, y = (r + scan.tip) * np.sin(theta + scan.steer), (r + scan.tip) * np.cos(theta + scan.steer) - scan.tip
    db = TISSUES[kind](x, y, scan, rng) + 1.5 * texture(rng, grid.shape, (12, 9))
    iq = rng.standard_normal((*grid.shape, 2), dtype=np.float32) * np.float32(10) ** (db[..., None] / 20)
    echo = spread.apply(iq.astype(np.float32)) * acoustics.gain
    echo /= np.float32(np.sqrt(power(echo).mean()))
    noise = rng.standard_normal((*grid.shape, 2), dtype=np.float32) * acoustics.noise
    echo = echo + noise + acoustics.clutter(rng.random())
    level = np.float32(10) * np.log10(power(echo) + np.float32(1e-12))
    curve = GreyCurve(scan)
    curve.reference_db = float(level.mean())
    return ScanConverter(scan, grid, size_px).picture(curve.apply(level))


def _liver(x: Floats, y: Floats, scan: ScanSettings, rng: Rng) -> Floats:
    """An even parenchyma with vessels, below a bright or no capsule, at times above a diaphragm."""
    db = 2.0 * texture(rng, x.shape, (60, 40))
    for _ in range(rng.integers(0, 7)):  # vessels, round or cut along
        cx, cy = rng.uniform(-6, 6), rng.uniform(2, scan.depth)
        turn, long, wide = rng.uniform(0, np.pi), rng.uniform(0.2, 4), rng.uniform(0.15, 0.7)
        along = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        aside = -(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn) + 0.08 * along**2
        off = np.hypot(along / long, aside / wide)
        db = np.where(off < 1, -rng.uniform(12, 28), db) + rng.uniform(0, 8) * np.exp(-(((off - 1.1) / 0.12) ** 2))
    if rng.random() < 0.6:
        at = scan.depth * rng.uniform(0.55, 0.95) + rng.uniform(-0.4, 0.4) * x - rng.uniform(0, 0.05) * x**2
        db = db + rng.uniform(8, 22) * np.exp(-(((y - at) / rng.uniform(0.15, 0.5)) ** 2)) - 8 * (y > at)
    return np.asarray(db, np.float32)


def _kidney(x: Floats, y: Floats, scan: ScanSettings, rng: Rng) -> Floats:
    """An oval with a dark rim of cortex and a bright core, in a liver."""
    db = _liver(x, y, scan, rng)
    cx, cy, turn = rng.uniform(-2, 2), scan.depth * rng.uniform(0.35, 0.65), rng.uniform(-0.5, 0.5)
    along = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    off = np.hypot(along / rng.uniform(3.5, 5.5), (-(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn)) / 2.3)
    db = np.where(off < 1, -rng.uniform(5, 10), db)
    core = off + 0.12 * texture(rng, x.shape, (25, 12))
    return np.asarray(np.where(core < 0.5, rng.uniform(3, 11), db), np.float32)


def _phantom(x: Floats, y: Floats, scan: ScanSettings, rng: Rng) -> Floats:
    """Even speckle with wires in rows and round inclusions."""
    db = np.zeros(x.shape)
    for cy in np.arange(rng.uniform(1.5, 3), scan.depth, rng.uniform(1.5, 3.5)):
        cx, radius = rng.uniform(-4, 4), rng.uniform(0.3, 1.5)
        db = np.where(np.hypot(x - cx, y - cy) < radius, rng.choice([-30.0, -12.0, -6.0, 6.0, 12.0]), db)
    step, cx = rng.uniform(0.8, 2.5), rng.uniform(-3, 3)
    for cy in np.arange(step, scan.depth, step):
        db = db + 32 * np.exp(-((np.hypot(x - cx, y - cy) / 0.1) ** 2))
    return np.asarray(db, np.float32)


def _muscle(x: Floats, y: Floats, scan: ScanSettings, rng: Rng) -> Floats:
    """Layers and fibres across the picture, as in chest wall, muscle or an intestine's loops."""
    tilt, bend = rng.uniform(-0.4, 0.4), rng.uniform(-0.04, 0.04)
    height = y + tilt * x + bend * x**2
    layers = np.interp(height, np.linspace(-6, 24, 120), 12 * wavy(rng, 120, 40, 0.7))
    fibres = 5 * np.sin(height * rng.uniform(6, 18) + 1.5 * texture(rng, x.shape, (40, 30)))
    return np.asarray(layers + fibres - rng.uniform(0, 2) * y, np.float32)


def _air(x: Floats, y: Floats, scan: ScanSettings, rng: Rng) -> Floats:
    """A probe in the air or on a lung: repeated arcs near it that fade, nothing behind."""
    depth = np.hypot(x, y)
    rings = 10 * np.cos(2 * np.pi * depth / rng.uniform(0.4, 3.0)) - depth * rng.uniform(2, 7)
    rays = 6 * texture(rng, (1, x.shape[1]), (1, 8))
    return np.asarray(np.maximum(rings + rays, -60), np.float32)


def _linear(size: int, rng: Rng) -> Picture:
    """A linear array: layers and a vessel in a rectangle or rhomb."""
    rows = np.cumsum(rng.normal(0, 1.2, size))
    db = np.tile(np.interp(np.arange(size), np.arange(size), rows - rows.mean())[:, None], (1, size)) * 0.6
    db = db + 4 * texture(rng, (size, size), (12, 60)) - np.linspace(-3, 9, size)[:, None]
    y, x = np.mgrid[:size, :size] / size
    if rng.random() < 0.6:
        off = np.hypot((x - rng.uniform(0.3, 0.7)) / rng.uniform(0.1, 0.7), (y - rng.uniform(0.3, 0.6)) / 0.1)
        db = np.where(off < 1, -25, db) + 10 * np.exp(-(((off - 1.1) / 0.15) ** 2))
    noise = cv2.GaussianBlur(rng.standard_normal((size, size, 2), dtype=np.float32), (0, 0), sigmaX=1.6, sigmaY=0.8)
    grey = (20 * np.log10(np.hypot(noise[..., 0], noise[..., 1]) + 1e-3) + db) * rng.uniform(3, 6) + rng.uniform(
        120, 190
    )
    lean = rng.uniform(-0.35, 0.35) if rng.random() < 0.3 else 0.0
    margin = rng.uniform(0.0, 0.25)
    inside = np.abs(x - 0.5 - lean * (y - 0.5)) < 0.5 - margin
    return np.asarray(np.clip(grey, 0, 255) * inside, np.uint8)


def _scene(size: int, rng: Rng) -> Picture:
    """Something like a photograph: large shapes with edges and shading on 1/f noise."""
    picture = np.zeros((size, size), np.float32) + rng.uniform(40, 200)
    for cell in (size / 2, size / 5, size / 12, size / 30, 6):
        picture += rng.uniform(8, 28) * (cell / size) ** 0.4 * texture(rng, (size, size), (cell, cell))
    canvas = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(2, 25)):
        at = tuple(int(v) for v in rng.integers(0, size, 2))
        level, thick = int(rng.integers(0, 256)), int(rng.choice([-1, -1, 1, 3, 8]))
        if rng.random() < 0.5:
            axes = tuple(int(v) for v in rng.integers(4, max(6, size // 3), 2))
            cv2.ellipse(canvas, at, axes, float(rng.uniform(0, 180)), 0, 360, level, thick, cv2.LINE_AA)
        else:
            cv2.fillPoly(
                canvas, [np.asarray(at) + rng.integers(-size // 4, size // 4, (int(rng.integers(3, 7)), 2))], level
            )
    shade = 1 + 0.35 * texture(rng, (size, size), (size / 2, size / 2))
    grain = rng.uniform(0, 12) * rng.standard_normal((size, size))
    return np.asarray(np.clip(canvas * shade + grain, 0, 255), np.uint8)


def _pattern(size: int, rng: Rng) -> Picture:
    """Stripes, waves, checks, rings or a ramp."""
    y, x = np.mgrid[:size, :size] / size
    turn, count = rng.uniform(0, np.pi), rng.uniform(1, 40)
    along = x * np.cos(turn) + y * np.sin(turn)
    waves = [
        np.sin(2 * np.pi * count * along),
        np.sign(np.sin(2 * np.pi * count * x) * np.sin(2 * np.pi * count * y)),
        np.sin(2 * np.pi * count * np.hypot(x - rng.random(), y - rng.random())),
        2 * along - 1,
    ]
    wave = waves[int(rng.integers(len(waves)))] * rng.uniform(0.2, 1)
    return np.asarray(
        np.clip(128 + 127 * wave + rng.uniform(0, 20) * rng.standard_normal((size, size)), 0, 255), np.uint8
    )


def _noise(size: int, rng: Rng) -> Picture:
    """Noise of any grain and distribution."""
    noise = rng.standard_normal((size, size), dtype=np.float32)
    if rng.random() < 0.7:
        blurred = cv2.GaussianBlur(noise, (0, 0), sigmaX=rng.uniform(0.4, 9), sigmaY=rng.uniform(0.4, 9))
        noise = np.asarray(blurred, np.float32)
    noise = np.asarray(noise / noise.std(), np.float32)
    if rng.random() < 0.4:
        noise = np.asarray(np.abs(noise) * 2 - 1.5, np.float32)
    return np.asarray(np.clip(rng.uniform(10, 140) + rng.uniform(10, 70) * noise, 0, 255), np.uint8)


def _text(size: int, rng: Rng) -> Picture:
    """Lines of text, dark on light or light on dark."""
    ground, ink = (rng.integers(0, 60), rng.integers(150, 256)) if rng.random() < 0.6 else (235, rng.integers(0, 90))
    page = np.full((size, size), ground, np.uint8)
    scale = rng.uniform(0.3, 1.4)
    for y in range(int(20 * scale), size, int(rng.uniform(18, 60) * scale)):
        line = " ".join(rng.choice(WORDS, rng.integers(1, 9)))
        cv2.putText(page, line, (int(rng.uniform(0, 0.3) * size), y), 0, scale, int(ink), 1, cv2.LINE_AA)
    return page


def _desktop(size: int, rng: Rng) -> Picture:
    """Windows with title bars, buttons, charts and text."""
    page = _scene(size, rng) if rng.random() < 0.4 else np.full((size, size), rng.integers(0, 256), np.uint8)
    for _ in range(rng.integers(1, 6)):
        x, y = (int(v) for v in rng.integers(0, int(size * 0.7), 2))
        w, h = (int(v) for v in rng.integers(size // 6, size, 2))
        cv2.rectangle(page, (x, y), (x + w, y + h), int(rng.integers(0, 256)), -1)
        cv2.rectangle(page, (x, y), (x + w, y + 14), int(rng.integers(0, 256)), -1)
        for k in range(int(rng.integers(0, 10))):
            words = " ".join(rng.choice(WORDS, rng.integers(1, 5)))
            cv2.putText(page, words, (x + 6, y + 34 + 18 * k), 0, 0.4, int(rng.integers(0, 256)), 1, cv2.LINE_AA)
        if rng.random() < 0.4:
            points = np.stack([np.linspace(x, x + w, 60), y + h / 2 + h / 3 * wavy(rng, 60, 20, 0.5)], axis=1)
            cv2.polylines(page, [points.astype(np.int32)], False, int(rng.integers(0, 256)), 1, cv2.LINE_AA)
    return page


TISSUES: dict[str, Callable[[Floats, Floats, ScanSettings, Rng], Floats]] = {
    "liver": _liver,
    "kidney": _kidney,
    "phantom": _phantom,
    "muscle": _muscle,
    "air": _air,
}
PLAIN: dict[str, Callable[[int, Rng], Picture]] = {
    "linear": _linear,
    "scene": _scene,
    "pattern": _pattern,
    "noise": _noise,
    "text": _text,
    "desktop": _desktop,
}
IN_FANS = ("scene", "pattern", "noise", "text", "desktop")
"""Shown in a sector in six of ten, as whatever a scanner's window may show."""
NO_HEART = (*ECHOES, *PLAIN)
