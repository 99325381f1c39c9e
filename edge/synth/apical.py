"""Apical views: the ventricle with its atrium, mitral valve and chords, right heart (A4C) or aortic root (A3C)."""

from __future__ import annotations

import numpy as np

from edge.synth.anatomy import (
    NODES,
    Base,
    HeartState,
    Ventricle,
    aortic_opening,
    base_of,
    contraction,
    mitral_opening,
    volume_ml,
)
from edge.synth.curves import Array, bezier, wavy
from edge.synth.settings import SHAPE_STREAM, HeartSettings

MITRAL_SHARE = 0.58
"""Share of the A3C base that the mitral valve takes; the aortic valve has the rest."""


class ApicalHeart:
    """An apical heart: `state(phase)` gives its contours, `ef` the ejection fraction of them."""

    def __init__(self, settings: HeartSettings) -> None:
        self.settings = settings
        self.ventricle = Ventricle(settings)
        self.ef, self.edv_ml, self.esv_ml = (self.ventricle.ef, self.ventricle.edv_ml, self.ventricle.esv_ml)
        rng = np.random.default_rng([settings.seed, SHAPE_STREAM, 1])
        u = rng.uniform
        self.atrium_depth, self.atrium_width, self.atrium_lean = u(3.6, 6.0), u(1.05, 1.6), u(-0.5, 0.5)
        self.atrium_noise = 0.1 * wavy(rng, 49, 5) + 0.05 * wavy(rng, 49, 14, 0.6)
        self.coaptation, self.tenting = u(-0.1, 0.35), u(0.05, 0.75)
        self.reach = (u(1.2, 1.9), u(0.75, 1.35))  # the anterior leaflet is the longer one
        self.billow = (u(-0.25, 0.35), u(-0.35, 0.2))
        self.opening_angle = (u(0.1, 0.5), u(0.1, 0.5))
        self.papillary = (u(0.6, 0.72), u(0.28, 0.4))
        self.rv_width, self.rv_top, self.ra_depth = u(2.2, 4.3), u(0.14, 0.3), u(3.5, 5.2)
        self.root_lean, self.root_sinus, self.root_length = u(0.35, 0.75), u(0.12, 0.4), u(3.8, 6.0)
        self._base0 = base_of(self.ventricle.contours(0)[0])

    def volume_ml(self, state: HeartState) -> float:
        """Volume of the cavity by discs."""
        return volume_ml(state.endo)

    def state(self, phase: float) -> HeartState:
        """Contours at a phase of the cycle; 0 is ED."""
        phase = phase % 1
        endo, epi, outward, thickness = self.ventricle.contours(phase)
        base, g = base_of(endo), float(contraction(phase))
        view = self.settings.view
        chambers: dict[str, Array] = {}
        walls: list[Array] = []
        mitral_left, mitral_right = base.left, base.right
        if view == "A3C":
            mitral_right = base.left + MITRAL_SHARE * (base.right - base.left)
        elif view == "A5C":
            mitral_left = base.left + (1 - MITRAL_SHARE) * (base.right - base.left)
        chambers["la"] = self._atrium(base, mitral_left, mitral_right, g)
        leaflets = self._mitral(base, mitral_left, mitral_right, endo, outward, phase, view == "A3C")
        if view in ("A4C", "A5C", "RV"):
            chambers["rv"], chambers["ra"], valve = self._right_heart(epi, base, g, phase)
            walls.append(chambers["rv"][:33])
            leaflets += valve
        if view in ("A3C", "A5C"):
            hinges = (mitral_right, base.right) if view == "A3C" else (base.left, mitral_left)
            chambers["ao"], root, cusps = self._aortic_root(base, *hinges, phase)
            walls += root
            leaflets += cusps
        return HeartState(endo, epi, outward, thickness, False, chambers, tuple(walls), tuple(leaflets), g)

    def _atrium(self, base: Base, left: Array, right: Array, g: float) -> Array:
        turn = np.linspace(0, np.pi, 49)
        middle, half = (left + right) / 2, float(np.hypot(*(right - left))) / 2
        # The roof stands still while the annulus moves towards the apex: the atrium fills in systole.
        roof = self._base0.middle + self.ventricle.axis * self.atrium_depth
        depth = float((roof - middle) @ base.down)
        bulge = np.sin(turn)
        width = half * (1 + (self.atrium_width - 1 + 0.12 * g + self.atrium_noise) * bulge)
        across = -np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.8 * width + self.atrium_lean * bulge**2
        down = bulge**0.75 * depth * (1 + self.atrium_noise * bulge)
        return np.asarray(middle + np.outer(across, base.across) + np.outer(down, base.down))

    def _mitral(
        self, base: Base, left: Array, right: Array, endo: Array, outward: Array, phase: float, anterior_right: bool
    ) -> list[Array]:
        """Two leaflets of unequal length and a chord from each to its papillary muscle."""
        opening = float(mitral_opening(phase))
        middle, half = (left + right) / 2, float(np.hypot(*(right - left))) / 2
        sides = ((left, 1.0, 0), (right, -1.0, 1))
        lines = []
        for hinge, sign, k in sides:
            order = 1 - k if anterior_right else k
            shut = middle + base.across * (self.coaptation * half * (-1 if anterior_right else 1))
            shut = shut - base.down * self.tenting * (1.0, 0.85)[order]
            open_ = hinge + base.across * sign * half * self.opening_angle[k] - base.down * self.reach[order]
            tip = shut * (1 - opening) + open_ * opening
            bow = self.billow[order] * (1 - 0.5 * opening)
            control = (hinge + tip) / 2 + base.down * bow + base.across * sign * 0.3 * opening
            lines.append(bezier(hinge, control, tip, 24))
            at = int((1 - self.papillary[k]) * (NODES - 1))
            head = endo[at] - 0.9 * outward[at]
            lines.append(bezier(tip, (tip + head) / 2 + 0.1 * base.across * sign, head, 24))
        return lines

    def _right_heart(self, epi: Array, base: Base, g: float, phase: float) -> tuple[Array, Array, list[Array]]:
        """(right ventricle, right atrium, tricuspid leaflets); the ventricle's first 33 points are its free wall."""
        top = int(NODES * 0.5 * (1 - self.rv_top * 1.2))
        hinge = epi[2] - base.across * self.rv_width * 1.15 * (1 - 0.22 * g) + base.down * 0.15
        belly = 0.45 * epi[top] + 0.55 * hinge - self.ventricle.across * self.rv_width * (0.95 - 0.28 * g)
        ventricle = np.concatenate([bezier(epi[top], belly, hinge, 33), epi[2 : top + 1]])
        septal = epi[1] + base.down * 0.1
        middle, half = (hinge + septal) / 2, float(np.hypot(*(septal - hinge))) / 2
        base0 = self._base0
        roof = base0.middle + self.ventricle.axis * self.ra_depth
        roof = roof - self.ventricle.across * (base.half * 1.2 + self.rv_width * 0.75)
        turn, depth = np.linspace(0, np.pi, 33), float((roof - middle) @ base.down)
        across = -np.cos(turn) * half * (1 + (0.12 + self.atrium_noise[:33]) * np.sin(turn))
        atrium = middle + np.outer(across, base.across) + np.outer(np.sin(turn) ** 0.8 * depth, base.down)
        shut = 1 - min(1.0, float(mitral_opening(phase)) * 1.2)
        leaflets = []
        for point, sign, length in ((hinge, 1.0, 1.6), (septal, -1.0, 1.1)):
            open_ = point + base.across * sign * half * 0.25 - base.down * length
            tip = (middle - base.down * 0.4) * shut + open_ * (1 - shut)
            bow = base.down * 0.15 * length - base.across * sign * 0.2
            leaflets.append(bezier(point, (point + tip) / 2 + bow, tip, 24))
        return ventricle, np.asarray(atrium), leaflets

    def _aortic_root(
        self, base: Base, left: Array, right: Array, phase: float
    ) -> tuple[Array, list[Array], list[Array]]:
        """(blood pool, its two walls, the cusps): annulus, sinuses of Valsalva, sinotubular junction and tube."""
        # In a long axis the root leans away from the atrium, in a five-chamber view it stands before both.
        lean, length = (self.root_lean, self.root_length) if self.settings.view == "A3C" else (0.12, 3.2)
        along = base.down + base.across * lean
        along /= np.hypot(*along)
        v = np.linspace(0, 1, 33)
        sinus = self.root_sinus * np.exp(-(((v - 0.17) / 0.1) ** 2))
        curve = np.outer(length * v, along)
        aside = base.across - (base.across @ along) * along
        aside /= np.hypot(*aside)
        inner = left + curve - np.outer(sinus - 0.12 * v, aside)
        outer = right + curve + np.outer(sinus + 0.12 * v, aside)
        opening = float(aortic_opening(phase))
        middle = (left + right) / 2 + along * 0.55
        cusps = []
        for hinge, wall in ((left, inner[5]), (right, outer[5])):
            tip = middle * (1 - opening) + (0.25 * middle + 0.75 * (wall + along * 0.3)) * opening
            cusps.append(bezier(hinge, hinge * 0.35 + wall * 0.35 + tip * 0.3 - along * 0.12 * (1 - opening), tip, 24))
        # The tube bends out of the plane: it ends in a rounded, slanting tip.
        tip = bezier(inner[-1], (inner[-1] + outer[-1]) / 2 + along * 1.6, outer[-1], 9)[1:-1]
        return np.concatenate([inner, tip, outer[::-1]]), [inner[:22], outer[:24]], cusps
