"""The apical planes seen from other windows: parasternal long axis (PLAX) and subcostal four-chamber view.

Both cut the heart as an apical view does; only the probe stands elsewhere, so the same plane appears turned.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.synth.anatomy import NODES, HeartState, contraction
from edge.synth.apical import ApicalHeart
from edge.synth.curves import Array
from edge.synth.settings import SHAPE_STREAM, HeartSettings

PLANES = {"PLAX": "A3C", "SUBCOSTAL": "A4C"}
"""The apical view that shows the same plane."""


class TurnedHeart:
    """A heart in one of PLANES: `state(phase)` gives its contours, `ef`, `edv_ml` and `esv_ml` are the apical ones."""

    def __init__(self, settings: HeartSettings) -> None:
        self.settings = settings
        apical = replace(settings, view=PLANES[settings.view], apex=(0.0, 0.0), axis_tilt=0.0)
        self._heart = ApicalHeart(apical)
        self.ef, self.edv_ml, self.esv_ml = self._heart.ef, self._heart.edv_ml, self._heart.esv_ml
        u = np.random.default_rng([settings.seed, SHAPE_STREAM, 2]).uniform
        if settings.view == "PLAX":  # the apex to the left, aorta and right ventricle nearer to the probe
            turn, base = np.deg2rad(u(-112, -78)), np.array((u(0.6, 2.6), u(5.2, 7.4)))
        else:  # the apex to the right, the right heart nearer to the probe, below the liver
            turn, base = np.deg2rad(u(62, 105)), np.array((u(-2.4, 0.2), u(8.8, 11.0)))
        self._turn = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self._shift = base - self._turn @ np.array((0.0, settings.length))
        self._rv_cm = u(1.5, 3.0)

    def volume_ml(self, state: HeartState) -> float:
        """Volume of the cavity by discs."""
        return self._heart.volume_ml(state)

    def state(self, phase: float) -> HeartState:
        """Contours at a phase of the cycle; 0 is ED."""
        seen = self._heart.state(phase)
        turned = replace(
            seen,
            endo=self._place(seen.endo),
            epi=self._place(seen.epi),
            outward=seen.outward @ self._turn.T,
            chambers={name: self._place(chamber) for name, chamber in seen.chambers.items()},
            walls=tuple(map(self._place, seen.walls)),
            leaflets=tuple(map(self._place, seen.leaflets)),
        )
        return self._with_outflow(turned, phase) if self.settings.view == "PLAX" else turned

    def _place(self, points: Array) -> Array:
        return np.asarray(points @ self._turn.T + self._shift)

    def _with_outflow(self, state: HeartState, phase: float) -> HeartState:
        """The right ventricle's outflow in front of the septum."""
        septum = state.epi[int(NODES * 0.62) :]
        bow = np.sin(np.linspace(0.12, np.pi - 0.3, len(septum))) ** 0.6 * self._rv_cm
        free = septum - np.outer(bow * (1 - 0.2 * float(contraction(phase % 1))), (0.0, 1.0))
        chambers = {**state.chambers, "rv": np.concatenate([free, septum[::-1]])}
        return replace(state, chambers=chambers, walls=(*state.walls, free))
