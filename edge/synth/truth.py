"""What is known of a synthetic frame: masks, signal and clutter of each region, and the quality label made of them."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.measure import Points
from edge.heart.regions import ANNULUS_RADIUS_MM
from edge.postprocess import LA, LV, MYOCARDIUM
from edge.synth.anatomy import HeartState
from edge.synth.curves import Array
from edge.synth.imaging import Floats, PolarGrid, ScanConverter

SCR_DB = (-3.0, 4.0, 11.0, 18.0, 25.0)
"""Signal-to-clutter ratios of a wholly visible region that are labelled 1 (not visible), 2, 3, 4 and 5 (excellent)."""
GAMMA = 0.5
COHERENCE_SIGMA = 3.0
"""Window of the powers in lines and samples, about three speckle cells: one cell would show two speckle patterns'
ratio.
"""


def quality_label(scr_db: NDArray[np.floating], visible: NDArray[np.floating]) -> NDArray[np.float64]:
    """Continuous 1-5 label: 1 + visible share x (score of the signal-to-clutter ratio - 1), the score linear in dB.

    1 not visible, 2 poor, 3 ok, 4 good, 5 excellent (the levels of Van De Vyver et al. 2024). A convention, not a human
    rating: 1 where a region is lost in clutter or outside the sector, 5 from 25 dB above it.
    """
    score = np.interp(scr_db, SCR_DB, (1, 2, 3, 4, 5))
    return np.asarray(1 + np.clip(visible, 0, 1) * (score - 1))


def draw_mask(state: HeartState, converter: ScanConverter) -> NDArray[np.uint8]:
    """Labels 0-3 (background, LV, myocardium, LA), also beyond the sector's edge; polygons to 1/16 pixel."""
    mask = np.zeros((converter.size_px, converter.size_px), np.uint8)
    shapes = [(state.wall, MYOCARDIUM), (state.endo, LV)]
    if "la" in state.chambers:
        shapes.insert(0, (state.chambers["la"], LA))
    for polygon, label in shapes:
        points = np.round(converter.pixels(polygon) * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], label, shift=4)
    return mask


def coherence(signal_power: Floats, clutter_power: Floats) -> Floats:
    """(signal / (signal + clutter))^0.5 of powers averaged over speckle: 1 pure tissue, 0 pure clutter."""
    signal, clutter = (cv2.GaussianBlur(p, (0, 0), COHERENCE_SIGMA) for p in (signal_power, clutter_power))
    return np.asarray((signal / (signal + clutter + 1e-12)) ** GAMMA, np.float32)


def region_points(state: HeartState) -> list[Array]:
    """Points in cm spread evenly over each of the eight regions of an apical view, in the order of REGIONS.

    Thirds of the endocardium's length on either side of the apex, the point farthest from the middle of the annulus, as
    edge.heart.regions divides a mask.
    """
    endo = state.endo
    middle = (endo[0] + endo[-1]) / 2
    apex = int(np.argmax(((endo - middle) ** 2).sum(1)))
    steps = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(endo, axis=0).T))])
    cuts = np.concatenate([np.linspace(0, steps[apex], 4), np.linspace(steps[apex], steps[-1], 4)[1:]])
    across = (np.arange(10) + 0.5) / 10
    regions = []
    for low, high in pairwise(cuts):
        node = np.interp(low + (np.arange(30) + 0.5) / 30 * (high - low), steps, np.arange(len(steps)))
        at = np.arange(len(steps))
        table = np.hstack([endo, state.outward * state.thickness[:, None]])
        row = np.stack([np.interp(node, at, column) for column in table.T], axis=1)
        regions.append((row[:, None, :2] + across[None, :, None] * row[:, None, 2:]).reshape(-1, 2))
    disc = np.stack(np.meshgrid(*[np.linspace(-1, 1, 13)] * 2), axis=-1).reshape(-1, 2)
    disc = disc[(disc**2).sum(1) <= 1] * ANNULUS_RADIUS_MM / 10
    return [*regions, endo[0] + disc, endo[-1] + disc]


def region_quality(
    state: HeartState, grid: PolarGrid, signal_power: Floats, clutter_power: Floats
) -> tuple[Points, Points]:
    """(signal-to-clutter ratio in dB, visible share) of the eight regions; NaN dB where nothing is visible."""
    scr, visible = np.full(8, np.nan), np.zeros(8)
    for k, points in enumerate(region_points(state)):
        line, sample, _ = grid.place(*points.T)
        inside = (
            (points[:, 1] > 0)
            & (line >= 0)
            & (line <= grid.shape[1] - 1)
            & (sample >= 0)
            & (sample <= grid.shape[0] - 1)
        )
        visible[k] = inside.mean()
        if inside.any():
            at = [c[inside].astype(np.float32)[None] for c in (line, sample)]
            power = [cv2.remap(p, at[0], at[1], cv2.INTER_LINEAR).mean() for p in (signal_power, clutter_power)]
            scr[k] = 10 * np.log10((power[0] + 1e-12) / (power[1] + 1e-12))
    return scr, visible
