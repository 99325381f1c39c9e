"""The beating heart: contours of the left ventricle and what surrounds it at any phase of the cycle.

Plane coordinates in cm: the probe is at (0, 0), x runs to the right of the picture, y is depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.heart.measure import disc_volume
from edge.synth.curves import Array, monotone_curve, wavy
from edge.synth.settings import SHAPE_STREAM, HeartSettings

NODES = 129
"""Points of the endocardium, from the left annulus point over the apex (the middle one) to the right."""
ES_PHASE = 0.4
contraction = monotone_curve(
    [0, 0.05, 0.2, 0.34, ES_PHASE, 0.52, 0.62, 0.8, 0.88, 0.97, 1.0],
    [0, 0.03, 0.6, 0.98, 1, 0.5, 0.28, 0.22, 0.2, 0.02, 0],
)
"""Share of the systolic motion over the cycle: ejection, rapid filling, diastasis, atrial contraction."""
mitral_opening = monotone_curve(
    [0, 0.03, 0.41, 0.47, 0.58, 0.74, 0.82, 0.9, 0.97, 1], [0.1, 0, 0, 0.9, 0.7, 0.25, 0.3, 0.75, 0.25, 0.1]
)
"""0 closed to 1 open, with the E and the A wave."""
aortic_opening = monotone_curve([0, 0.06, 0.1, 0.32, 0.39, 1], [0, 0, 1, 0.9, 0, 0])


@dataclass(frozen=True)
class HeartState:
    """All contours at one phase; N x 2 points in cm.

    endo and epi have NODES points each, paired: epi = endo + thickness * outward. `closed` marks a short axis, whose
    first and last points coincide. `chambers` are the other blood pools by name, `walls` thin bright lines between
    them, `leaflets` the valves and chords; their numbers depend on the view alone.
    """

    endo: Array
    epi: Array
    outward: Array
    thickness: Array
    closed: bool = False
    chambers: dict[str, Array] = field(default_factory=dict)
    walls: tuple[Array, ...] = ()
    leaflets: tuple[Array, ...] = ()
    contraction: float = 0.0

    @property
    def wall(self) -> Array:
        """The outline of the myocardium; that of a short axis still holds the cavity."""
        return self.epi if self.closed else np.concatenate([self.endo, self.epi[::-1]])


@dataclass(frozen=True)
class Base:
    """The plane of the valves: hinge points, their middle, half their distance, unit vectors across and towards the
    atria.
    """

    left: Array
    right: Array
    middle: Array
    half: float
    across: Array
    down: Array


def base_of(endo: Array) -> Base:
    """The plane between the ends of an apical endocardium."""
    left, right = endo[0], endo[-1]
    half = float(np.hypot(*(right - left))) / 2
    across = (right - left) / (2 * half)
    down = np.array((-across[1], across[0]))
    return Base(left, right, (left + right) / 2, half, across, down if down[1] > 0 else -down)


def volume_ml(endo: Array) -> float:
    """Single-plane volume of an apical endocardium (N x 2, cm) by the method of discs."""
    middle = (endo[0] + endo[-1]) / 2
    apex = endo[int(np.argmax(((endo - middle) ** 2).sum(1)))]
    return disc_volume(endo * 10, np.stack([endo[0], endo[-1]]) * 10, apex * 10)[1]


class Ventricle:
    """The left ventricle in an apical view. `ef`, `edv_ml` and `esv_ml` are those of its contours, by discs."""

    def __init__(self, settings: HeartSettings) -> None:
        s = self.settings = settings
        rng = np.random.default_rng([s.seed, SHAPE_STREAM])
        half = NODES // 2
        x = 1 - np.cos(np.linspace(np.pi / 2, 0, half + 1))
        self.x = np.concatenate([x, x[-2::-1]])
        """Height over the apex as a share of the length: 1 at the base, 0 at the apex."""
        self.side = np.concatenate([-np.ones(half + 1), np.ones(half)])
        above = np.clip(1 - np.abs((s.widest - self.x) / s.widest) ** s.roundness, 0, 1) ** 0.5
        below = 1 - s.base_narrowing * ((self.x - s.widest) / (1 - s.widest)) ** 2
        away_from_apex = np.clip(self.x * 4, 0, 1)
        # Traced borders are neither smooth nor elliptic: long waves shape the wall, short ones follow the trabeculae.
        rough = 0.085 * wavy(rng, NODES, 6) + 0.05 * wavy(rng, NODES, 22, 0.5)
        bulge = -rng.uniform(0, 0.22) * np.exp(-(((self.x - 0.85) / 0.12) ** 2)) * (self.side < 0)
        profile = np.where(self.x < s.widest, above, below)
        self.width = s.half_width * profile * (1 + s.asymmetry * self.side) * (1 + (rough + bulge) * away_from_apex)
        self.apex_shift = rng.uniform(-0.35, 0.35) * np.exp(-((self.x / 0.3) ** 2))
        wall = np.where(self.side < 0, s.wall_left, s.wall_right)
        wall = cv2.GaussianBlur(wall[None], (0, 0), 6).ravel()
        cap = np.exp(-((self.x / 0.22) ** 2))
        self.thickness = np.clip(wall * (1 - cap + cap * s.wall_apex) * (1 + 0.14 * wavy(rng, NODES, 6)), 0.35, 1.6)
        self.axis = np.array((np.sin(s.axis_tilt), np.cos(s.axis_tilt)))
        self.across = np.array((self.axis[1], -self.axis[0]))
        q = np.linspace(0, 1, NODES)
        self.mobility = 1 - s.hypokinesia * np.exp(-(((q - s.hypokinetic_at) / 0.13) ** 2))
        self.damping = 1 - s.basal_damping * np.clip((self.x - 0.72) / 0.28, 0, 1) ** 1.3
        self.edv_ml = volume_ml(self._endo(0.0, 1.0))
        self._narrowing = self._solve_narrowing()
        self.esv_ml = volume_ml(self._endo(1.0, self._narrowing))
        self.ef = 1 - self.esv_ml / self.edv_ml

    def _solve_narrowing(self) -> float:
        """Systolic width as a share of the diastolic one that gives the drawn ejection fraction, by bisection."""
        low, high = 0.25, 1.05
        for _ in range(22):
            narrowing = (low + high) / 2
            if 1 - volume_ml(self._endo(1.0, narrowing)) / self.edv_ml > self.settings.ef:
                low = narrowing
            else:
                high = narrowing
        return narrowing

    def _endo(self, g: float, narrowing: float) -> Array:
        s = self.settings
        length = s.length * (1 - s.shortening * g)
        towards_apex = 0.75 + 0.25 * np.clip(self.x * 2, 0, 1)
        inward = 1 - (1 - narrowing) * g * self.mobility * towards_apex * self.damping
        along = self.x * length * (1 + s.base_tilt * self.side * self.x) + 0.25 * g
        aside = s.bend * np.sin(np.pi * self.x) + self.apex_shift + self.side * self.width * inward
        return np.asarray(s.apex + np.outer(along, self.axis) + np.outer(aside, self.across))

    def contours(self, phase: float) -> tuple[Array, Array, Array, Array]:
        """(endo, epi, outward unit vectors, wall thickness) at a phase 0-1; the wall keeps its area, so it thickens."""
        s = self.settings
        g = float(contraction(phase % 1))
        endo = self._endo(g, self._narrowing)
        width = np.maximum(self.width, 0.25 * s.half_width)
        narrowed = width * (1 - (1 - self._narrowing) * g * self.mobility * self.damping)
        shell = ((width + self.thickness) ** 2 - width**2) / (1 - s.shortening * g)
        thickness = np.sqrt(narrowed**2 + shell) - narrowed
        outward = outward_normals(endo)
        return endo, endo + thickness[:, None] * outward, outward, thickness


def outward_normals(curve: Array, closed: bool = False) -> Array:
    """Smoothed unit normals of a curve of points, away from its middle."""
    if closed:
        ring = curve[:-1]
        tangent = np.roll(ring, -1, 0) - np.roll(ring, 1, 0)
        tangent = np.vstack([tangent, tangent[:1]])
    else:
        tangent = np.gradient(curve, axis=0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    normal /= np.hypot(*normal.T)[:, None]
    if ((curve - curve.mean(0)) * normal).sum() < 0:
        normal = -normal
    padded = np.vstack([normal[-13:-1], normal, normal[1:13]]) if closed else normal
    smooth = cv2.GaussianBlur(padded, (1, 15), sigmaX=1, sigmaY=3)
    smooth = smooth[12:-12] if closed else smooth
    return np.asarray(smooth / np.hypot(*smooth.T)[:, None], np.float64)
