"""The apical set of measurements from masks at ED and ES, beside what the experts' masks give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.heart.annulus import plane_excursion
from edge.heart.atrium import area_length_volume, disc_volume
from edge.heart.measure import fractional_area_change
from edge.heart.regions import NotMeasurable, find_regions
from edge.heart.shape import Shape, shape_of
from edge.heart.strain import longitudinal_strain
from edge.heart.withhold import DISC_VIEWS
from train.data.sample import Sample
from train.evaluate.ef import EXPERTS, Pair, matched

Frames = Iterable[tuple[Sample, NDArray[np.uint8]]]
Shapes = Mapping[tuple[str, str, str], Shape]
"""By patient, view and phase."""


def shapes_of(frames: Frames) -> dict[tuple[str, str, str], Shape]:
    """The shape of every frame whose mask can be measured."""
    found = {}
    for sample, mask in frames:
        regions = find_regions(mask, sample.spacing_mm)
        if not isinstance(regions, NotMeasurable):
            found[sample.patient, sample.view, sample.phase] = shape_of(mask, regions, sample.spacing_mm)
    return found


def _mapse_mm(ed: Shape, es: Shape) -> float:
    return float(np.mean(plane_excursion(ed.annulus, ed.apex, es.annulus)))


def _la_area_cm2(ed: Shape, es: Shape) -> float | None:
    return es.atrium.area / 100 if es.atrium else None


def _la_ml(ed: Shape, es: Shape) -> float | None:
    return area_length_volume(es.atrium, es.atrium, es.atrium.length) / 1000 if es.atrium else None


def _la_discs_ml(ed: Shape, es: Shape) -> float | None:
    return disc_volume(es.atrium, es.atrium, es.atrium.length) / 1000 if es.atrium else None


ONE_PLANE: Mapping[str, Callable[[Shape, Shape], float | None]] = {
    "FAC %": lambda ed, es: fractional_area_change(ed.area, es.area),
    "MAPSE mm": _mapse_mm,
    "GLS %": lambda ed, es: longitudinal_strain(ed.border, es.border),
    "LV length ED mm": lambda ed, es: ed.length,
    "LV length ES mm": lambda ed, es: es.length,
    "EDV ml": lambda ed, es: ed.volume,
    "ESV ml": lambda ed, es: es.volume,
    "sphericity ED": lambda ed, es: ed.sphericity,
    "LA area cm2": _la_area_cm2,
    "LA volume ml": _la_ml,
    "LA volume, discs ml": _la_discs_ml,
}
"""What ED and ES of one view give; the atrium is measured at ES, when it is largest."""


def one_plane(shapes: Shapes, view: str, name: str) -> dict[str, float]:
    """Measurement `name` of ONE_PLANE by patient, where ED and ES of that view are there."""
    found = {}
    for patient in sorted({p for p, v, _ in shapes if v == view}):
        ed, es = (shapes.get((patient, view, phase)) for phase in ("ED", "ES"))
        value = ONE_PLANE[name](ed, es) if ed and es else None
        if value is not None:
            found[patient] = value
    return found


def two_planes(shapes: Shapes, name: str) -> dict[str, float]:
    """The mean of both views' values of ONE_PLANE, for patients that have both."""
    each = [one_plane(shapes, view, name) for view in DISC_VIEWS]
    return {patient: (each[0][patient] + each[1][patient]) / 2 for patient in sorted(each[0].keys() & each[1].keys())}


def biplane_atrium_ml(shapes: Shapes) -> dict[str, float]:
    """LA volume by area-length in both views, with the shorter length, by patient."""
    found = {}
    for patient in sorted({p for p, _, _ in shapes}):
        one, other = (shapes.get((patient, view, "ES")) for view in DISC_VIEWS)
        if one and other and one.atrium and other.atrium:
            length = min(one.atrium.length, other.atrium.length)
            found[patient] = area_length_volume(one.atrium, other.atrium, length) / 1000
    return found


def compare_apical(frames: Sequence[tuple[Sample, NDArray[np.uint8]]]) -> dict[str, Pair]:
    """Each measurement of ONE_PLANE of each view, of both views together, and the biplane atrium: the masks' beside the
    experts'.

    Raises DataError when no patient has ED and ES.
    """
    model, experts = shapes_of(frames), shapes_of((sample, sample.mask) for sample, _ in frames)
    pairs = {}
    for name in ONE_PLANE:
        for view in sorted({v for _, v, _ in experts}):
            pairs[f"{view} {name}"] = matched(one_plane(model, view, name), one_plane(experts, view, name), EXPERTS)
        if name in ("FAC %", "MAPSE mm", "GLS %"):
            pairs[f"A4C and A2C {name}"] = matched(two_planes(model, name), two_planes(experts, name), EXPERTS)
    pairs["biplane LA volume ml"] = matched(biplane_atrium_ml(model), biplane_atrium_ml(experts), EXPERTS)
    known = {name: pair for name, pair in pairs.items() if len(pair.found)}
    if not known:
        raise DataError("no patient has measurable masks at ED and at ES; the measurements need both phases of a view")
    return known
