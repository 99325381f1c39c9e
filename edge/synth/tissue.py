"""Scatterers: where they are at end-diastole, how strongly they reflect and how they move with the heart."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.synth.anatomy import NODES, HeartState
from edge.synth.curves import Array, Rng, monotone_curve, nearest_weights, texture, wavy
from edge.synth.settings import TISSUE_STREAM, ScanSettings

Floats = NDArray[np.float32]
RASTER_CM = 0.05
NODE_CM = 0.5
FINE = 32
"""Positions along the wall between two nodes."""
REACH_CM = 1.6
"""Tissue follows the heart within about this distance of it and stands still beyond."""
STILL = 0.03
WALL_DENSITY = 1.5
OUTSIDE, WALL, CAVITY = 0, 1, 2


class Tissue:
    """The scatterers of one loop. `still` are those that never move; `moving(state)` places the others.

    Both are (x, y, amplitude) float32 arrays in cm. Amplitudes are relative to the mean wall.
    """

    def __init__(self, scan: ScanSettings, at_ed: HeartState, view: str) -> None:
        rng = np.random.default_rng([scan.seed, TISSUE_STREAM])
        self._wall_scatterers(scan, at_ed, view, rng)
        self._surroundings(scan, at_ed, view, rng)
        self._threads(scan, at_ed, rng)

    def moving(self, state: HeartState) -> tuple[Floats, Floats, Floats]:
        """(x, y, amplitude) of the wall, what moves around it and the valves at a state of the heart."""
        table = np.hstack([state.endo, state.outward * state.thickness[:, None]]).astype(np.float32)
        fine = cv2.resize(table, (4, (NODES - 1) * FINE), interpolation=cv2.INTER_LINEAR)
        node = fine[self._wall_node]
        shift = (_controls(state) - self._controls0).astype(np.float32)
        nodes = (self._node_weight[:, :, None] * np.vstack([shift, self._no_shift])[self._node_index]).sum(1)
        grid = nodes.reshape(*self._node_shape, 2) * self._follow
        moved = cv2.remap(grid, self._grid_x, self._grid_y, cv2.INTER_LINEAR).reshape(-1, 2)[: len(self._loose)]
        moved = self._loose + moved
        parts = [node[:, :2] + self._wall_depth[:, None] * node[:, 2:], moved]
        lines = (*state.leaflets, *state.walls)
        for line, (index, part, jitter) in zip(lines, self._thread_places):
            line32 = line.astype(np.float32)
            parts.append(line32[index] * (1 - part) + line32[index + 1] * part + jitter)
        if not state.closed:
            for end, spread in ((0, self._annulus[0]), (-1, self._annulus[1])):
                parts.append((state.endo[end] * 0.6 + state.epi[end] * 0.4).astype(np.float32) + spread)
        x, y = np.concatenate(parts).T
        return np.ascontiguousarray(x), np.ascontiguousarray(y), self._amplitude

    def _wall_scatterers(self, scan: ScanSettings, state: HeartState, view: str, rng: Rng) -> None:
        length = np.hypot(*np.diff(state.endo, axis=0).T)
        area = length * (state.thickness[1:] + state.thickness[:-1]) / 2 * 1.15
        count = int(area.sum() * scan.density * WALL_DENSITY)
        segment = rng.choice(NODES - 1, count, p=area / area.sum())
        depth = rng.random(count)
        apex = _closeness_to_apex(state)
        q = segment / (NODES - 1)
        row = (depth * 24).astype(int)
        layers = rng.standard_normal((2, NODES, 24)).astype(np.float32)
        db = 15 * cv2.GaussianBlur(layers[0], (0, 0), 1.4)[segment, row]
        db += 42 * cv2.GaussianBlur(layers[1], (0, 0), 4)[segment, row] + 4 * wavy(rng, NODES, 7)[segment]
        db -= apex[segment] * rng.uniform(1, 11)
        if view in ("A4C", "A2C"):
            db -= (q > 0.5) * rng.uniform(0.5, 6)
        # The septum is seen as a bright core, its borders fainter than where they are traced.
        core = np.exp(-(((depth - rng.uniform(0.4, 0.6)) / 0.25) ** 2)) - 0.45
        db += core * (q < 0.45) * rng.uniform(0, 9)
        nodes, depths, dbs = [segment + rng.random(count)], [depth], [db]
        # Trabeculae and papillary muscles stand out into the cavity: depth below 0.
        ridge = np.clip(0.12 + 0.28 * wavy(rng, NODES, 30), 0, 0.7) * np.clip(1.5 - _height(state) * 1.1, 0.25, 1)
        small = int(count * 0.25)
        at = rng.integers(0, NODES - 1, small)
        nodes.append(at + rng.random(small))
        depths.append(-rng.random(small) * ridge[at])
        dbs.append(rng.normal(-7, 2.5, small))
        places = (0.42, 0.78) if state.closed else tuple(p for p in (0.72, 0.26) if rng.random() < 0.75)
        for place in places:
            centre, reach, along = place + rng.uniform(-0.06, 0.06), rng.uniform(0.5, 1.1), rng.random(500)
            nodes.append(centre * (NODES - 1) + np.sign(centre - 0.5) * 7 * along + rng.normal(0, 1.6, 500))
            depths.append(-along * reach + rng.normal(0, 0.1, 500))
            dbs.append(rng.normal(-4.5, 2, 500))
        drop = monotone_curve(np.linspace(0, NODES - 1, 9).tolist(), scan.dropout_db)(
            np.arange(NODES, dtype=np.float64)
        )
        scattered = sum(len(part) for part in dbs)
        # Thin interfaces: the endocardium weakly, the pericardium strongly away from the septum and the apex.
        sheet = 5000
        spot = rng.random(sheet) * (NODES - 1.001)
        j = spot.astype(int)
        free = np.clip((spot / (NODES - 1) - 0.45) * 4, 0, 1) if view == "A4C" else np.ones(sheet)
        nodes += [spot, spot]
        depths += [0.02 + rng.normal(0, 0.05, sheet), 1.06 + rng.normal(0, 0.1, sheet)]
        dbs += [
            rng.uniform(-24, -9) + 7 * wavy(rng, NODES, 12)[j],
            scan.pericardium_db * free - 16 * (1 - free) - 2 + 10 * wavy(rng, NODES, 10)[j] - 14 * apex[j],
        ]
        node = np.clip(np.concatenate(nodes), 0, NODES - 1.01)
        self._wall_depth = np.concatenate(depths).astype(np.float32)
        self._wall_node = (node * FINE).astype(np.intp)
        level = np.concatenate(dbs) + np.where(self._wall_depth < 1.15, np.interp(node, np.arange(NODES), drop), 0)
        strength = rng.standard_normal(len(level))
        strength[scattered:] = 0.12 + 0.6 * strength[scattered:]
        self._wall_amplitude = 10 ** (level / 20) * strength

    def _surroundings(self, scan: ScanSettings, state: HeartState, view: str, rng: Rng) -> None:
        reach = scan.depth * 1.02
        count = int(scan.density * scan.fov * reach**2 / 2 * 1.05)
        r, angle = reach * np.sqrt(rng.random(count)), (rng.random(count) - 0.5) * scan.fov * 1.06
        points = np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)
        labels, names = _label_raster(state, reach)
        shape = labels.shape
        column = np.clip(((points[:, 0] + reach) / RASTER_CM).astype(int), 0, shape[1] - 1)
        row = np.clip((points[:, 1] / RASTER_CM).astype(int), 0, shape[0] - 1)
        label = labels[row, column]
        from_heart = (
            cv2.distanceTransform((labels == OUTSIDE).astype(np.uint8), cv2.DIST_L2, 5)[row, column] * RASTER_CM
        )
        db = _surroundings_db(scan, state, rng, points, from_heart, (row, column), shape)
        for name, value in names.items():
            inside = label == value
            if name in ("la", "ra", "ao"):
                from_wall = (
                    cv2.distanceTransform((labels == value).astype(np.uint8), cv2.DIST_L2, 5)[row, column] * RASTER_CM
                )
                patches = 5 * texture(rng, shape, (22, 18))[row, column] + 2 * texture(rng, shape, (8, 8))[row, column]
                level = scan.atrium_db + (0.0 if name == "la" else rng.uniform(-7, 2))
                fill = level + patches + rng.uniform(4, 12) * np.exp(-from_wall / rng.uniform(0.3, 0.8))
                db[inside] = fill[inside]
            elif name == "rv":
                bands = -22 + 11 * np.abs(texture(rng, shape, (20, 9)))[row, column] + rng.uniform(-8, 5)
                db[inside] = np.where(rng.random(int(inside.sum())) < 0.7, bands[inside], -60)
        empty = (label == WALL) | (label == CAVITY)
        points, db, from_heart = points[~empty], db[~empty], from_heart[~empty]
        amplitude = 10 ** (db / 20) * rng.standard_normal(len(db))
        follow = np.exp(-((from_heart / REACH_CM) ** 2))
        moves = follow > STILL
        self.still = tuple(a.astype(np.float32) for a in (*points[~moves].T, amplitude[~moves]))
        self._loose, self._loose_amplitude = points[moves].astype(np.float32), amplitude[moves]
        self._controls0 = _controls(state)
        across = np.arange(-reach, reach + NODE_CM, NODE_CM)
        down = np.arange(0, reach + NODE_CM, NODE_CM)
        grid = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
        rim = np.linspace(-scan.fov / 2, scan.fov / 2, 14)
        anchors = np.stack([reach * np.sin(rim), reach * np.cos(rim)], axis=1)
        anchors = np.concatenate([anchors, np.stack([np.linspace(-1, 1, 5), np.full(5, 0.3)], axis=1)])
        self._no_shift = np.zeros((len(anchors), 2), np.float32)
        self._node_index, self._node_weight, _ = nearest_weights(grid, np.concatenate([self._controls0, anchors]))
        self._node_shape = (len(down), len(across))
        raster = cv2.distanceTransform((labels == OUTSIDE).astype(np.uint8), cv2.DIST_L2, 5) * RASTER_CM
        i = np.clip((grid[:, 1] / RASTER_CM).astype(int), 0, shape[0] - 1)
        j = np.clip(((grid[:, 0] + reach) / RASTER_CM).astype(int), 0, shape[1] - 1)
        self._follow = np.exp(-((raster[i, j] / REACH_CM) ** 2)).astype(np.float32).reshape(*self._node_shape, 1)
        # cv2.remap takes maps of at most 32767 rows: fold the list of points into a rectangle.
        rows = -(-len(self._loose) // 512)
        folded = np.zeros((rows * 512, 2), np.float32)
        folded[: len(self._loose)] = (self._loose + np.array((reach, 0), np.float32)) / NODE_CM
        self._grid_x, self._grid_y = (np.ascontiguousarray(c.reshape(rows, 512)) for c in folded.T)

    def _threads(self, scan: ScanSettings, state: HeartState, rng: Rng) -> None:
        """Leaflets, chords and the bright spots of the annulus: patchy, thicker towards the free edge."""
        self._thread_places = []
        parts = [self._wall_amplitude, self._loose_amplitude]
        for k, line in enumerate((*state.leaflets, *state.walls)):
            is_wall = k >= len(state.leaflets)
            is_chord = not is_wall and not state.closed and k in (1, 3)
            count = 120 if is_chord else 260
            u = rng.random(count)
            at = u * (len(line) - 1.001)
            index = at.astype(np.intp)
            width = 0.02 if is_chord else 0.03 + 0.04 * u[:, None]
            jitter = rng.normal(0, 1, (count, 2)) * width
            self._thread_places.append((index, (at - index)[:, None].astype(np.float32), jitter.astype(np.float32)))
            level = rng.uniform(-26, -14) if is_chord else rng.uniform(-12, -1) - 5 * (k > 3)
            db = level + 6 * np.interp(u, np.linspace(0, 1, 40), wavy(rng, 40, 8))
            parts.append(10 ** (db / 20) * (0.5 + 0.8 * rng.standard_normal(count)))
        if not state.closed:
            self._annulus = rng.normal(0, 0.16, (2, 120, 2)).astype(np.float32)
            for _ in range(2):
                parts.append(10 ** (rng.uniform(-7, 8) / 20) * (0.4 + rng.standard_normal(120)))
        self._amplitude = np.concatenate(parts).astype(np.float32)


def _height(state: HeartState) -> Array:
    """Height over the apex as a share of the length for each node; 0.6 all around a short axis."""
    if state.closed:
        return np.full(NODES, 0.6)
    return np.abs(np.linspace(-1, 1, NODES))


def _closeness_to_apex(state: HeartState) -> Array:
    return np.asarray(np.exp(-((_height(state) / 0.33) ** 2)) * (not state.closed))


def _controls(state: HeartState) -> Array:
    """The points of the heart that the tissue around it follows; the same number at every phase."""
    return np.concatenate([state.endo[::6], state.epi[::6], *(c[::4] for c in state.chambers.values())])


def _label_raster(state: HeartState, reach: float) -> tuple[NDArray[np.uint8], dict[str, int]]:
    """Labels at end-diastole on a raster of RASTER_CM from (-reach, 0): OUTSIDE, WALL, CAVITY and one for each chamber."""
    labels = np.zeros((int(reach / RASTER_CM) + 8, int(2 * reach / RASTER_CM)), np.uint8)
    names = {name: 3 + k for k, name in enumerate(state.chambers)}
    shapes = [(state.chambers[name], value) for name, value in names.items()]
    for polygon, value in [*shapes, (state.wall, WALL), (state.endo, CAVITY)]:
        points = np.round((polygon + np.array((reach, 0))) / RASTER_CM * 16).astype(np.int32)
        cv2.fillPoly(labels, [points], value, shift=4)
    return labels, names


def _surroundings_db(
    scan: ScanSettings, state: HeartState, rng: Rng, points: Array, from_heart: Array,
    at: tuple[NDArray[np.intp], NDArray[np.intp]], shape: tuple[int, int],
) -> Array:  # fmt: skip
    """Echo of what lies around the heart: patches on several scales, thin walls, bright posterior arcs, the chest wall."""

    def field(*cell: float) -> Floats:
        return texture(rng, shape, (cell[0], cell[1]))[at]

    fine = 2.2 * field(14, 14) + 4 * field(60, 60)
    db = scan.surroundings_db + 1.3 * fine + 5 * field(22, 60) + 2.5 * field(7, 30)
    db = db - 0.7 * np.clip(from_heart - 0.8, 0, 4)
    db = np.where(from_heart < rng.uniform(0.18, 0.35), np.maximum(db, -2 + 2.2 * fine), db)
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
