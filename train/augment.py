"""Augmentation for echo frames: geometry, gain curves, speckle and compression, shadows, and a scanner's screen marks.

Every function takes a seeded `numpy.random.Generator`; images are uint8 HxW unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Rng = np.random.Generator


@dataclass(frozen=True)
class AugmentSpec:
    """Ranges of the augmentations; probabilities are per sample."""

    rotation_deg: float = 18.0
    scale: tuple[float, float] = (0.72, 1.25)
    aspect: float = 0.1
    shift: float = 0.08
    gamma: tuple[float, float] = (0.6, 1.7)
    p_crush: float = 0.35
    p_texture: float = 0.5
    p_shadow: float = 0.3
    p_sector: float = 0.25
    p_marks: float = 0.3


MILD = AugmentSpec(
    rotation_deg=8,
    scale=(0.9, 1.1),
    aspect=0.05,
    shift=0.04,
    gamma=(0.8, 1.3),
    p_crush=0.1,
    p_texture=0.25,
    p_shadow=0.15,
    p_sector=0.1,
    p_marks=0.15,
)
"""For the last epochs of a training: near the pictures as they come, once the wide one has made the network robust."""


def augment(image: Image, mask: Mask, size: int, rng: Rng, spec: AugmentSpec) -> tuple[Image, Mask]:
    """One augmented (image, mask) pair, both size x size uint8.

    A narrower sector hides echo but keeps the mask: CAMUS's annotators, too, complete walls beyond the sector's edge.
    """
    matrix = affine(image.shape[0], size, rng, spec)
    moved = np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
    moved_mask = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_NEAREST)
    return look(moved, rng, spec), np.asarray(moved_mask, np.uint8)


def look(image: Image, rng: Rng, spec: AugmentSpec) -> Image:
    """A size x size image with other shadows, gain, sector, texture and screen marks."""
    size = image.shape[0]
    echo: NDArray[np.float32] = image.astype(np.float32) / np.float32(255)
    if rng.random() < spec.p_shadow:
        echo *= angular_shadow(size, rng)
    echo = gain_curve(echo, rng, spec)
    if rng.random() < spec.p_sector:
        echo *= _random_sector(size, rng)
    if rng.random() < spec.p_texture:
        echo = texture(echo, rng)
    image = np.clip(echo * 255, 0, 255).astype(np.uint8)
    if rng.random() < spec.p_marks:
        screen_marks(image, rng)
    return image


def affine(source: int, size: int, rng: Rng, spec: AugmentSpec) -> NDArray[np.float64]:
    """2x3 matrix from a source x source image to size x size: rotation, scale, aspect, shift about the centre."""
    zoom = rng.uniform(*spec.scale) * size / source
    stretch = np.exp(rng.uniform(-spec.aspect, spec.aspect) / 2)
    angle = np.deg2rad(rng.uniform(-spec.rotation_deg, spec.rotation_deg))
    cos, sin = np.cos(angle), np.sin(angle)
    linear = zoom * np.array([[cos, sin], [-sin, cos]]) @ np.diag([stretch, 1 / stretch])
    centre = np.full(2, (source - 1) / 2)
    target = np.full(2, (size - 1) / 2) + rng.uniform(-spec.shift, spec.shift, 2) * size
    return np.hstack([linear, (target - linear @ centre)[:, None]])


def gain_curve(echo: NDArray[np.float32], rng: Rng, spec: AugmentSpec) -> NDArray[np.float32]:
    """Gain, gamma, depth slope and, at times, a crushed black as portable scanners show it. Float32 0-1 in and out."""
    gamma = np.exp(rng.uniform(*np.log(spec.gamma)))
    echo = np.clip(echo * rng.uniform(0.75, 1.3), 0, 1) ** np.float32(gamma)
    depth = np.linspace(-0.5, 0.5, echo.shape[0], dtype=np.float32)[:, None]
    echo = echo * (1 + rng.uniform(-0.6, 0.6) * depth)
    if rng.random() < spec.p_crush:
        floor = rng.uniform(0.02, 0.22)
        echo = np.maximum(echo - floor, 0) / (1 - floor) * rng.uniform(0.7, 1.2)
    return echo.astype(np.float32)


def _polar(size: int, rng: Rng) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Angle (radians from straight down) and radius (in image heights) of each pixel, seen from near the top centre."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    dx, dy = x - np.float32(0.5 + rng.uniform(-0.05, 0.05)), y + np.float32(rng.uniform(-0.05, 0.1))
    return np.arctan2(dx, dy), np.hypot(dx, dy)


def angular_shadow(size: int, rng: Rng) -> NDArray[np.float32]:
    """Attenuation map (0-1) of one to three wedges behind ribs or lung, as usaugment's Gaussian shadow in polar
    form.
    """
    angle, radius = _polar(size, rng)
    factor = np.ones((size, size), np.float32)
    for _ in range(rng.integers(1, 4)):
        centre, width = rng.uniform(-0.6, 0.6), rng.uniform(0.03, 0.16)
        start, strength = rng.uniform(0, 0.6), rng.uniform(0.3, 0.95)
        wedge = np.exp(-(((angle - centre) / width) ** 2)) / (1 + np.exp(-(radius - start) / 0.03))
        factor *= 1 - np.float32(strength) * wedge
    return factor


def _random_sector(size: int, rng: Rng) -> NDArray[np.float32]:
    """1 inside a random fan, 0 outside: other opening angles, depths and probe faces than the data set's own."""
    angle, radius = _polar(size, rng)
    half = rng.uniform(0.45, 0.85)
    inside = (np.abs(angle) < half) & (radius < rng.uniform(0.85, 1.05)) & (radius > rng.uniform(0, 0.12))
    return inside.astype(np.float32)


def texture(echo: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """One of: speckle-like multiplicative noise, blur, coarser resolution, JPEG. Float32 0-1 in and out."""
    kind = rng.integers(4)
    if kind == 0:
        noise = rng.standard_normal(echo.shape, dtype=np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), sigmaX=rng.uniform(0.8, 2), sigmaY=rng.uniform(0.5, 1))
        return np.asarray(echo * np.exp(rng.uniform(0.3, 1.2) * soft), np.float32)
    if kind == 1:
        return np.asarray(cv2.GaussianBlur(echo, (0, 0), rng.uniform(0.5, 1.8)), np.float32)
    if kind == 2:
        factor = rng.uniform(0.35, 0.8)
        small = cv2.resize(echo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, echo.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))]
    _, packed = cv2.imencode(".jpg", np.clip(echo * 255, 0, 255).astype(np.uint8), quality)
    unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32)
    return np.asarray(unpacked / 255, np.float32)


def screen_marks(image: Image, rng: Rng) -> None:
    """Draw what a scanner's screen shows beside the echo, in place: text, depth ticks, a grey bar, a marker, an ECG."""
    size = image.shape[0]
    level = int(rng.integers(90, 256))
    for _ in range(rng.integers(1, 7)):
        text = "".join(rng.choice(list("0123456789.AMITdBHzcm %/"), rng.integers(1, 10)))
        at_side = rng.random() < 0.6
        x = (
            int(rng.choice([rng.uniform(0, 0.12), rng.uniform(0.8, 0.97)]) * size)
            if at_side
            else int(rng.uniform(0, 0.9) * size)
        )
        y = (
            int(rng.uniform(0.03, 0.99) * size)
            if at_side
            else int(rng.choice([rng.uniform(0.02, 0.08), rng.uniform(0.93, 0.99)]) * size)
        )
        cv2.putText(
            image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.25, 0.6) * size / 281, level, 1, cv2.LINE_AA
        )
    if rng.random() < 0.6:
        x = int(rng.uniform(0.9, 0.99) * size)
        step = size * rng.uniform(0.04, 0.09)
        for k in range(int(size / step)):
            cv2.line(image, (x, int(k * step)), (x + (6 if k % 5 == 0 else 3), int(k * step)), level, 1)
    if rng.random() < 0.3:
        x, width = int(rng.choice([0.01, 0.95]) * size), max(3, size // 40)
        ramp = np.linspace(255, 0, size // 3).astype(np.uint8)[:, None]
        y = int(rng.uniform(0.05, 0.5) * size)
        image[y : y + len(ramp), x : x + width] = ramp
    if rng.random() < 0.3:
        cv2.circle(
            image,
            (int(rng.uniform(0.3, 0.7) * size), int(rng.uniform(0.01, 0.05) * size)),
            max(2, size // 90),
            level,
            -1,
        )
    if rng.random() < 0.3:
        columns = np.arange(size)
        wave = np.sin(columns / size * rng.uniform(10, 60)) ** 15 * 0.05 + rng.uniform(0.9, 0.97)
        cv2.polylines(image, [np.stack([columns, wave * size], 1).astype(np.int32)], False, level, 1)
