"""Scatterers around the ventricle: lung, liver, chest wall, the other chambers' walls and what echoes inside them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.synth.anatomy import HeartState
from edge.synth.curves import Array, Rng, texture
from edge.synth.settings import ScanSettings

Floats = NDArray[np.float32]
Index = tuple[NDArray[np.intp], NDArray[np.intp]]
RASTER_CM = 0.05
MARGIN = 1.02
"""Scatterers reach beyond the sector by this factor, so that its edge is not thinned out."""
OUTSIDE, WALL, CAVITY, CHAMBERS = 0, 1, 2, 3


def place_surroundings(scan: ScanSettings, state: HeartState, rng: Rng) -> tuple[Array, Array, Array, Floats]:
    """(points N x 2 in cm, amplitudes N, distances N to the heart in cm, raster of that distance), at end-diastole.

    Nothing is placed in the wall or the cavity of the left ventricle.
    """
    reach = scan.depth * MARGIN
    far, near = (reach + scan.tip) ** 2, scan.tip**2
    count = int(scan.density * scan.fov * (far - near) / 2 * 1.05)
    r, angle = np.sqrt(near + (far - near) * rng.random(count)), (rng.random(count) - 0.5) * scan.fov * 1.06
    angle = angle + scan.steer
    points = np.stack([r * np.sin(angle), r * np.cos(angle) - scan.tip], axis=1)
    labels, names = _label_raster(state, reach)
    at = raster_index(points, reach, labels.shape)
    label = labels[at]
    heart_distance = _distance(labels == OUTSIDE)
    from_heart, from_pools = heart_distance[at], _distance(labels < CHAMBERS)[at]
    db = _surroundings_db(scan, state, rng, points, from_heart, from_pools, at, labels.shape)
    from_solid, from_cavity = _distance(labels >= CAVITY)[at], _distance(labels != CAVITY)[at]
    for name, value in names.items():
        inside = label == value
        if name == "rv":
            bands = -22 + 11 * np.abs(texture(rng, labels.shape, (20, 9)))[at] + rng.uniform(-8, 5)
            db[inside] = np.where(rng.random(int(inside.sum())) < 0.7, bands[inside], -60)
        else:
            patches = 5 * texture(rng, labels.shape, (22, 18))[at] + 2 * texture(rng, labels.shape, (8, 8))[at]
            level = scan.atrium_db + (0.0 if name == "la" else rng.uniform(-7, 2))
            near_wall = rng.uniform(4, 12) * np.exp(-from_solid / rng.uniform(0.3, 0.8))
            # Nothing but a leaflet parts an atrium from the ventricle: no wall echo there, and a gradual start.
            near_orifice = rng.uniform(4, 10) * np.exp(-from_cavity / rng.uniform(0.5, 1.2))
            db[inside] = (level + patches + near_wall - near_orifice)[inside]
    kept = (label != WALL) & (label != CAVITY)
    amplitude = 10 ** (db[kept] / 20) * rng.standard_normal(int(kept.sum()))
    return points[kept], amplitude, from_heart[kept].astype(np.float64), heart_distance


def raster_index(points: Array, reach: float, shape: tuple[int, ...]) -> Index:
    """(row, column) of N x 2 points in cm on a raster that begins at (-reach, 0), clipped to it."""
    column = np.clip(((points[:, 0] + reach) / RASTER_CM).astype(np.intp), 0, shape[1] - 1)
    row = np.clip((points[:, 1] / RASTER_CM).astype(np.intp), 0, shape[0] - 1)
    return row, column


def _distance(free: NDArray[np.bool_]) -> Floats:
    """Distance in cm of each free raster cell to the nearest one that is not; 0 elsewhere."""
    return np.asarray(cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, 5) * RASTER_CM, np.float32)


def _label_raster(state: HeartState, reach: float) -> tuple[NDArray[np.uint8], dict[str, int]]:
    """Labels at end-diastole on a raster of RASTER_CM from (-reach, 0): OUTSIDE, WALL, CAVITY and one per chamber."""
    labels = np.zeros((int(reach / RASTER_CM) + 8, int(2 * reach / RASTER_CM)), np.uint8)
    names = {name: CHAMBERS + k for k, name in enumerate(state.chambers)}
    shapes = [(state.chambers[name], value) for name, value in names.items()]
    for polygon, value in [*shapes, (state.wall, WALL), (state.endo, CAVITY)]:
        points = np.round((polygon + np.array((reach, 0))) / RASTER_CM * 16).astype(np.int32)
        cv2.fillPoly(labels, [points], value, shift=4)
    return labels, names


def _surroundings_db(
    scan: ScanSettings,
    state: HeartState,
    rng: Rng,
    points: Array,
    from_heart: Floats,
    from_pools: Floats,
    at: Index,
    shape: tuple[int, int],
) -> Array:
    """Echo around the heart: patches on several scales, thin walls, bright posterior arcs, the chest wall."""

    def field(*cell: float) -> Floats:
        return texture(rng, shape, (cell[0], cell[1]))[at]

    fine = 2.2 * field(14, 14) + 4 * field(60, 60)
    db = scan.surroundings_db + 1.3 * fine + 5 * field(22, 60) + 2.5 * field(7, 30)
    db = db - 0.7 * np.clip(from_heart - 0.8, 0, 4)
    db = np.where(from_pools < rng.uniform(0.18, 0.35), np.maximum(db, -2 + 2.2 * fine), db)
    pools = [*state.chambers.values(), state.epi]
    floor = max(float(pool[:, 1].max()) for pool in pools)
    base = float(state.endo[:, 1].max())
    db = db + (points[:, 1] > floor - 0.3) * rng.uniform(2, 9)
    db = db + ((from_heart < 0.9) & (points[:, 1] > base - 1)) * rng.uniform(1, 8)
    top = float(state.epi[:, 1].min()) - 0.3
    db = np.where(points[:, 1] < top, scan.surroundings_db + rng.uniform(-4, 6) + fine, db)
    r, angle = np.hypot(*points.T), np.arctan2(points[:, 0], points[:, 1])
    for _ in range(rng.integers(1, 5)):
        radius = min(scan.depth * rng.uniform(0.75, 0.99), floor * rng.uniform(0.95, 1.1))
        towards, width = rng.uniform(-0.5, 0.5) * scan.fov, rng.uniform(0.12, 0.5)
        off = (r - radius - 0.25 * np.sin(3 * (angle - towards))) / rng.uniform(0.2, 0.8)
        db = db + rng.uniform(6, 20) * np.exp(-(off**2) - ((angle - towards) / width) ** 2)
    return np.asarray(db, np.float64)
