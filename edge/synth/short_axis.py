"""Parasternal short-axis views at four levels: a ring of wall with the right ventricle beside it."""

from __future__ import annotations

import numpy as np

from edge.synth.anatomy import NODES, HeartState, aortic_opening, contraction, mitral_opening, outward_normals
from edge.synth.curves import Array, bezier, wavy
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
        self.rv_reach = rng.uniform(1.6, 3.2) * (0.5 if s.view == "SAX-APEX" else 1.0)
        more = np.random.default_rng([s.seed, SHAPE_STREAM, 1])
        self.gape, self.lean, self.atrium_cm = more.uniform(0.5, 1.0), more.uniform(-0.3, 0.3), more.uniform(2.4, 4.2)
        if s.view == "SAX-AV":  # the aortic root: a thin ring that hardly moves
            self.thickness = self.thickness * 0.28
            self.mobility = self.mobility * 0.25
        if s.view == "OBLIQUE":
            stretch, across = more.uniform(1.35, 2.0), more.uniform(0, np.pi)
            squared = np.cos(self.angle - across) ** 2 + (stretch * np.sin(self.angle - across)) ** 2
            self.radius = self.radius * stretch / np.sqrt(squared)
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
        walls: tuple[Array, ...] = (free,)
        leaflets: tuple[Array, ...] = ()
        if self.settings.view == "SAX-MV":
            leaflets = self._fish_mouth(ring, float(mitral_opening(phase % 1)))
        elif self.settings.view == "SAX-AV":
            chambers, walls = self._around_the_aorta(ring, g)
            leaflets = self._cusps(ring, float(aortic_opening(phase % 1)))
        return HeartState(ring.endo, ring.epi, ring.outward, ring.thickness, True, chambers, walls, leaflets, g)

    def _fish_mouth(self, ring: HeartState, opening: float) -> tuple[Array, ...]:
        """The mitral leaflets from commissure to commissure, apart by their opening."""
        half = float(np.abs(ring.endo[:, 0] - self.centre[0]).mean()) * 1.25
        across = np.array((np.cos(self.lean), np.sin(self.lean)))
        down = np.array((-across[1], across[0]))
        ends = self.centre - half * across, self.centre + half * across
        gap = half * self.gape * (0.15 + 0.85 * opening)
        return tuple(bezier(ends[0], self.centre + side * 2 * gap * down, ends[1], 48) for side in (-0.5, 0.6))

    def _cusps(self, ring: HeartState, opening: float) -> tuple[Array, ...]:
        """Three closure lines from the middle to the commissures, each nearer to the wall the wider the valve."""
        lines = []
        for turn in (0.5, 0.5 + 2 * np.pi / 3, 0.5 + 4 * np.pi / 3):
            node = int((turn + self.lean) % (2 * np.pi) / (2 * np.pi) * (NODES - 1))
            wall = ring.endo[node]
            start = self.centre + (wall - self.centre) * 0.85 * opening
            lines.append(bezier(start, (start + wall) / 2, wall, 24))
        return tuple(lines)

    def _around_the_aorta(self, ring: HeartState, g: float) -> tuple[dict[str, Array], tuple[Array, ...]]:
        """The right ventricle's outflow in front of the root, the left atrium behind it, the right one beside it."""
        front = ring.epi[NODES // 5 : NODES * 4 // 5]
        away = (front - self.centre) / np.hypot(*(front - self.centre).T)[:, None]
        bow = (0.35 + np.sin(np.linspace(0, np.pi, len(front))) ** 0.5) * self.rv_reach * (1 - 0.2 * g)
        free = front + bow[:, None] * away
        back = np.concatenate([ring.epi[-NODES // 9 :], ring.epi[: NODES // 9]])
        low = back.mean(0) + np.array((0.0, self.atrium_cm * (1 + 0.15 * g)))
        left, right = back[0] + np.array((2.2, 0.8)), back[-1] - np.array((1.6, -0.8))
        out, round_ = np.array((1.7, 0.0)), np.array((0.0, 2.0))
        behind = np.concatenate([bezier(left, low + out, low, 16), bezier(low, low - out, right, 16)])
        side = ring.epi[NODES // 9 : NODES // 5]
        far = side.mean(0) + np.array((-self.atrium_cm * 0.85, self.atrium_cm * 0.5))
        corner = far + np.array((1.2, 1.2))
        beside = np.concatenate([bezier(side[-1], far - round_, far, 16), bezier(far, corner, side[0], 16)])
        chambers = {
            "rv": np.concatenate([free, front[::-1]]),
            "la": np.concatenate([back, behind]),
            "ra": np.concatenate([side, beside]),
        }
        return chambers, (free, behind, beside)
