"""Scatterers: where they are at end-diastole, how strongly they reflect and how they move with the heart."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.synth.anatomy import NODES, HeartState
from edge.synth.curves import Array, Rng, monotone_curve, nearest_weights, wavy
from edge.synth.settings import TISSUE_STREAM, ScanSettings
from edge.synth.surroundings import MARGIN, place_surroundings, raster_index

Floats = NDArray[np.float32]
NODE_CM = 0.5
FINE = 32
"""Positions along the wall between two nodes."""
REACH_CM = 1.6
"""Tissue follows the heart within about this distance of it and stands still beyond."""
STILL = 0.03
WALL_DENSITY = 1.5


class Tissue:
    """The scatterers of one loop. `still` are those that never move; `moving(state)` places the others.

    Both are (x, y, amplitude) float32 arrays in cm. Amplitudes are relative to the mean wall.
    """

    def __init__(self, scan: ScanSettings, at_ed: HeartState, view: str) -> None:
        rng = np.random.default_rng([scan.seed, TISSUE_STREAM])
        self._wall_scatterers(scan, at_ed, view, rng)
        self._surroundings(scan, at_ed, rng)
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
        if view in ("A4C", "A2C", "A5C"):
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
        if state.closed:
            places: tuple[float, ...] = (0.42, 0.78) if view == "SAX" else ()
        else:
            places = tuple(p for p in (0.72, 0.26) if rng.random() < 0.75)
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
        free = np.clip((spot / (NODES - 1) - 0.45) * 4, 0, 1) if view in ("A4C", "A5C", "RV") else np.ones(sheet)
        nodes += [spot, spot]
        depths += [0.02 + rng.normal(0, 0.05, sheet), 1.06 + rng.normal(0, 0.1, sheet)]
        dbs += [
            rng.uniform(-30, -12) + 8 * wavy(rng, NODES, 12)[j],
            scan.pericardium_db * free - 16 * (1 - free) - 2 + 10 * wavy(rng, NODES, 10)[j] - 14 * apex[j],
        ]
        node = np.clip(np.concatenate(nodes), 0, NODES - 1.01)
        self._wall_depth = np.concatenate(depths).astype(np.float32)
        self._wall_node = (node * FINE).astype(np.intp)
        level = np.concatenate(dbs) + np.where(self._wall_depth < 1.15, np.interp(node, np.arange(NODES), drop), 0)
        strength = rng.standard_normal(len(level))
        strength[scattered:] = 0.12 + 0.6 * strength[scattered:]
        self._wall_amplitude = 10 ** (level / 20) * strength

    def _surroundings(self, scan: ScanSettings, state: HeartState, rng: Rng) -> None:
        points, amplitude, from_heart, raster = place_surroundings(scan, state, rng)
        follow = np.exp(-((from_heart / REACH_CM) ** 2))
        moves = follow > STILL
        self.still: tuple[Floats, Floats, Floats] = (
            points[~moves, 0].astype(np.float32),
            points[~moves, 1].astype(np.float32),
            amplitude[~moves].astype(np.float32),
        )
        self._loose, self._loose_amplitude = points[moves].astype(np.float32), amplitude[moves]
        self._controls0 = _controls(state)
        reach = scan.depth * MARGIN
        across = np.arange(-reach, reach + NODE_CM, NODE_CM)
        down = np.arange(0, reach + NODE_CM, NODE_CM)
        grid = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
        rim = np.linspace(-scan.fov / 2, scan.fov / 2, 14) + scan.steer
        anchors = np.stack([reach * np.sin(rim), reach * np.cos(rim)], axis=1)
        anchors = np.concatenate([anchors, np.stack([np.linspace(-1, 1, 5), np.full(5, 0.3)], axis=1)])
        self._no_shift = np.zeros((len(anchors), 2), np.float32)
        self._node_index, self._node_weight = nearest_weights(grid, np.concatenate([self._controls0, anchors]))
        self._node_shape = (len(down), len(across))
        near = np.exp(-((raster[raster_index(grid, reach, raster.shape)] / REACH_CM) ** 2))
        self._follow = near.astype(np.float32).reshape(*self._node_shape, 1)
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
            is_tricuspid = k > 3 and not is_wall
            count = 120 if is_chord or is_tricuspid else 260
            u = rng.random(count)
            at = u * (len(line) - 1.001)
            index = at.astype(np.intp)
            width = 0.02 if is_chord else (0.06 if is_tricuspid else 0.03 + 0.04 * u[:, None])
            jitter = rng.normal(0, 1, (count, 2)) * width
            self._thread_places.append((index, (at - index)[:, None].astype(np.float32), jitter.astype(np.float32)))
            level = rng.uniform(-26, -14) if is_chord else rng.uniform(-12, -1) - 8 * (k > 3)
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
