"""The 90 % interval of EF, fitted to the errors on patients that no network has seen, and how well it holds.

The networks have seen their training patients: an interval fitted to those covers 83 to 86 % of others. So it is fitted
on held-out patients by conformal prediction (Lei et al. 2018), and judged on parts of them that were left out of a fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.heart.interval import LEVEL, Fit, breadth, seen_in
from edge.heart.regions import NotMeasurable, find_regions
from edge.heart.withhold import DISC_VIEWS
from edge.nets.manifest import find_manifests
from edge.nets.model import QualityScorer
from edge.screen.sector import find_sector
from train.data.sample import Sample
from train.evaluate.ef import biplane_ef, planes_of, single_plane_ef

Values = NDArray[np.float64]
Frames = Sequence[tuple[Sample, NDArray[np.uint8]]]
FOLDS, ROUNDS = 5, 40
WORST = 0.2
"""Share of the patients that are seen worst: of these EF is not shown."""


class Errors(NamedTuple):
    """One row a patient and view, or a patient for both views: who, how well the wall is seen, |EF error| in points."""

    patients: NDArray[np.str_]
    quality: Values
    error: Values


def qualities_of(frames: Frames, scorer: QualityScorer) -> dict[tuple[str, str, str], float]:
    """How well the wall is seen in each frame, as at run time, by patient, view and phase."""
    found = {}
    for sample, mask in frames:
        sector = find_sector([sample.image])
        regions = find_regions(mask, sample.spacing_mm, sector.mask)
        if not isinstance(regions, NotMeasurable):
            quality = seen_in(scorer(sample.image, sector), regions.included)
            if quality is not None:
                found[sample.patient, sample.view, sample.phase] = quality
    return found


def errors_of(frames: Frames, qualities: Mapping[tuple[str, str, str], float]) -> dict[str, Errors]:
    """ "one plane" (both views' patients together) and "biplane": EF of the masks against the experts', beside quality.

    A beat's quality is that of the worse of ED and ES, a biplane EF's that of the worse view.
    """
    model, experts = planes_of(frames), planes_of((sample, sample.mask) for sample, _ in frames)
    worst: dict[tuple[str, str], float] = {}
    for (patient, view, _), quality in qualities.items():
        worst[patient, view] = min(quality, worst.get((patient, view), quality))
    rows: dict[str, list[tuple[str, float, float]]] = {"one plane": [], "biplane": []}
    for view in DISC_VIEWS:
        found, true = single_plane_ef(model, view), single_plane_ef(experts, view)
        rows["one plane"] += [
            (p, worst[p, view], abs(found[p] - true[p])) for p in sorted(found.keys() & true) if (p, view) in worst
        ]
    found, true = biplane_ef(model), biplane_ef(experts)
    for p in sorted(found.keys() & true):
        seen = [worst[p, view] for view in DISC_VIEWS if (p, view) in worst]
        if len(seen) == len(DISC_VIEWS):
            rows["biplane"].append((p, min(seen), abs(found[p] - true[p])))
    empty = [name for name, part in rows.items() if len({row[0] for row in part}) < 2 * FOLDS]
    if empty:
        raise DataError(f"an interval for {empty[0]} needs ED and ES of both views of at least {2 * FOLDS} patients")
    return {name: Errors(*(np.array(column) for column in zip(*part))) for name, part in rows.items()}


def conformal_half(error: Values, quality: Values, level: float = LEVEL) -> float:
    """Half the width in points, where the wall is well seen, that `level` of exchangeable patients lie within."""
    ratio = np.sort(error / breadth(quality))
    return float(ratio[min(len(ratio), math.ceil((len(ratio) + 1) * level)) - 1])


def coverage_of(errors: Errors, seed: int = 0) -> float:
    """Share of patients left out of a fit that lie within it: ROUNDS of FOLDS parts, patients kept whole."""
    rng, names = np.random.default_rng(seed), np.unique(errors.patients)
    inside = []
    for _ in range(ROUNDS):
        for part in np.array_split(rng.permutation(names), FOLDS):
            out = np.isin(errors.patients, part)
            half = conformal_half(errors.error[~out], errors.quality[~out])
            inside.append(errors.error[out] <= half * breadth(errors.quality[out]))
    return float(np.concatenate(inside).mean())


def fit_of(errors: Errors) -> Fit:
    """From all patients; its coverage from parts."""
    return Fit(
        half_percent=round(conformal_half(errors.error, errors.quality), 2),
        least_quality=round(float(np.quantile(errors.quality, WORST)), 2),
        patients=len(np.unique(errors.patients)),
        coverage=round(coverage_of(errors), 3),
    )


def gain_of(errors: Errors, fit: Fit) -> tuple[float, float]:
    """(mean error of all, mean error of those that are shown) in points."""
    return float(errors.error.mean()), float(errors.error[errors.quality >= fit.least_quality].mean())


def fit_interval(
    frames: Frames, scorer: QualityScorer, path: Path, folders: Sequence[Path]
) -> dict[str, dict[str, float]]:
    """Fit, write `path`, and say what was found: a row for one plane and one for both."""
    errors = errors_of(frames, qualities_of(frames, scorer))
    fits = {name: fit_of(part) for name, part in errors.items()}
    fp32 = [next(m for m, _ in find_manifests(folder) if m.precision == "fp32") for folder in folders]
    command = (
        f"    echoedge evaluate --model {folders[0]} --precision {scorer.manifest.precision} --data camus:CAMUS\n"
        f"        --data folder:A2C --split split_valid.txt --fit-interval {folders[1]} {path}"
    )
    write_fitted(path, fitted_source(fits, {m.name: m.sha256 for m in fp32}, command))
    return {
        name: asdict(fits[name]) | dict(zip(("mae", "mae_shown"), gain_of(errors[name], fits[name]))) for name in fits
    }


INTERVAL_TITLE = "EF's 90 % interval, on patients left out of the fit"
INTERVAL_HEADINGS = [
    "EF",
    "patients",
    "covered",
    "half width where well seen",
    "least quality",
    "MAE",
    "MAE of what is shown",
]


def interval_rows(result: dict[str, Any]) -> list[list[str]]:
    """A row for one plane and one for both, in the order of INTERVAL_HEADINGS."""
    return [
        [
            name,
            str(row["patients"]),
            f"{100 * row['coverage']:.0f} %",
            f"{row['half_percent']:.1f}",
            f"{row['least_quality']:.2f}",
            f"{row['mae']:.2f}",
            f"{row['mae_shown']:.2f} ({100 * (row['mae_shown'] / row['mae'] - 1):+.0f} %)",
        ]
        for name, row in result["interval"].items()
    ]


def fitted_source(fits: Mapping[str, Fit], networks: Mapping[str, str], command: str) -> str:
    """The text of `edge/heart/fitted.py`."""
    rows = "\n".join(f"{name.upper().replace(' ', '_')} = {fit!r}" for name, fit in fits.items())
    names = ", ".join(f'"{name}": "{sha256[:12]}"' for name, sha256 in networks.items())
    return f'''"""The 90 % intervals of EF, for the networks that they were fitted to. Written by

{command}
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.heart.interval import Fit

NETWORKS: Mapping[str, str] = {{{names}}}
"""Name and the beginning of the sha256 of the FP32 file of segmentation and quality net."""
{rows}
'''


def write_fitted(path: Path, text: str) -> None:
    """Replace the file as a whole."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
