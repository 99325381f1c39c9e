"""Parasternal short-axis view at the papillary muscles: a ring of wall with the right ventricle beside it."""

from __future__ import annotations

import numpy as np

from edge.synth.anatomy import NODES, HeartState, contraction, outward_normals
from edge.synth.curves import wavy
from edge.synth.settings import SHAPE_STREAM, HeartSettings


class ShortAxisHeart:
    """A short-axis ring. `apex` of its settings is the top of the cavity, `half_width` its radius.

    Its volumes are area x 5/6 of the (shortening) long axis, the bullet formula (Lang et al. 2015), as no disc sum
    exists for this view; `ef` is theirs.
    """

    def __init__(self, settings: HeartSettings) -> None:
        s = self.settings = settings
        rng = np.random.default_rng([s.seed, SHAPE_STREAM])
        self.angle = np.linspace(0, 2 * np.pi, NODES)
        noise = 0.05 * wavy(rng, NODES, 5) + 0.03 * wavy(rng, NODES, 16, 0.5)
        fade = np.sin(self.angle / 2) ** 0.3  # the ring closes where its ends meet
        self.radius = s.half_width * (1 + noise * fade) * (1 + 0.05 * np.cos(2 * self.angle))
        wall = (s.wall_left + s.wall_right) / 2 * (1 + (0.12 * wavy(rng, NODES, 5)) * fade)
        self.thickness = np.clip(wall, 0.5, 1.6)
        self.centre = np.array((s.apex[0], s.apex[1] + s.half_width))
        gap = np.abs((self.angle / (2 * np.pi) - s.hypokinetic_at + 0.5) % 1 - 0.5)
        self.mobility = 1 - s.hypokinesia * np.exp(-((gap / 0.13) ** 2))
        self.rv_reach = rng.uniform(1.6, 3.2)
        self._narrowing = self._solve_narrowing()
        self.edv_ml, self.esv_ml = (
            self.volume_ml(self._ring(0.0, 1.0)),
            self.volume_ml(self._ring(1.0, self._narrowing)),
        )
        self.ef = 1 - self.esv_ml / self.edv_ml

    def _solve_narrowing(self) -> float:
        low, high = 0.25, 1.05
        start = self.volume_ml(self._ring(0.0, 1.0))
        for _ in range(22):
            narrowing = (low + high) / 2
            if 1 - self.volume_ml(self._ring(1.0, narrowing)) / start > self.settings.ef:
                low = narrowing
            else:
                high = narrowing
        return narrowing

    def volume_ml(self, state: HeartState) -> float:
        """5/6 of the cavity's area times the long axis at that moment."""
        x, y = state.endo.T
        area = abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())) / 2
        return 5 / 6 * area * self.settings.length * (1 - self.settings.shortening * state.contraction)

    def _ring(self, g: float, narrowing: float) -> HeartState:
        s = self.settings
        radius = self.radius * (1 - (1 - narrowing) * g * self.mobility)
        thickness = np.sqrt(radius**2 + (2 * self.radius + self.thickness) * self.thickness / (1 - s.shortening * g))
        thickness = thickness - radius
        # The angle runs from the bottom through the septum on the left, as the apical wall runs from the left annulus.
        direction = np.stack([-np.sin(self.angle), np.cos(self.angle)], axis=1)
        endo = self.centre + radius[:, None] * direction
        outward = outward_normals(endo, closed=True)
        return HeartState(endo, endo + thickness[:, None] * outward, outward, thickness, True, contraction=g)

    def state(self, phase: float) -> HeartState:
        """Contours at a phase of the cycle; 0 is ED."""
        g = float(contraction(phase % 1))
        ring = self._ring(g, self._narrowing)
        septum = ring.epi[NODES // 8 : NODES // 2]
        bow = np.sin(np.linspace(0, np.pi, len(septum))) ** 0.7 * self.rv_reach * (1 - 0.25 * g)
        free = septum - bow[:, None] * np.array((0.95, 0.3))
        chambers = {"rv": np.concatenate([free, septum[::-1]])}
        return HeartState(ring.endo, ring.epi, ring.outward, ring.thickness, True, chambers, (free,), (), g)
