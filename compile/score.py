"""The task metric of an artefact on held-out data, and its agreement with the FP32 file on calibration frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.feed import Inputs
from edge.errors import DataError
from edge.nets.backends import open_backend
from edge.nets.manifest import Manifest
from edge.nets.model import QualityScorer, Segmenter, load_model
from edge.postprocess import LV
from edge.screen.sector import find_sector
from train.data import open_data
from train.data.sample import Sample
from train.evaluate.metrics import dice, spearman
from train.evaluate.segmentation import evaluate_frame
from train.quality.degrade import degrade_regions, sector_crop

Scores = dict[tuple[str, str], float]
"""(view, metric) -> value. Metrics: "LV Dice", "LV HD95 mm", "Spearman"."""
LOWER_IS_BETTER = ("LV HD95 mm",)


@dataclass(frozen=True)
class Trial:
    """Held-out frames of one task.

    For quality, `crops` are degraded network inputs (size x size uint8) and `scores` their 8 labels, NaN where
    excluded.
    """

    data: str
    samples: tuple[Sample, ...]
    crops: tuple[NDArray[np.uint8], ...] = ()
    scores: tuple[NDArray[np.float32], ...] = ()


def open_trial(task: str, places: Sequence[str], patients: Sequence[str], size_px: int, seed: int = 0) -> Trial:
    """Read the held-out patients' frames; for quality, degrade them with the seed.

    Raises DataError where a frame's patient is not known to the data sets, or nothing is left.
    """
    kinds = [p for p in places if not p.startswith("frames:")]
    samples = tuple(s for place in kinds for s in open_data(place) if s.patient in set(patients))
    if not samples:
        raise DataError(f"{', '.join(places)} holds no annotated frame of the {len(patients)} held-out patients")
    data = f"{', '.join(p.partition(':')[0] for p in kinds)}, {len(patients)} held-out patients"
    if task == "segmentation":
        return Trial(data, samples)
    kept, crops, scores = [], [], []
    for index, sample in enumerate(samples):
        made = degrade_regions(*sector_crop(sample, size_px), np.random.default_rng([seed, 1_000_000, index]))
        if made is not None:
            kept.append(sample)
            crops.append(made[0])
            scores.append(made[1])
    return Trial(data, tuple(kept), tuple(crops), tuple(scores))


def score_file(
    manifest: Manifest, path: Path, trial: Trial, backend: str, threads: int | None = None
) -> tuple[Scores, str]:
    """Metrics per view of the artefact that the manifest at `path` describes, and the engine's name and release."""
    with load_model(manifest, path, backend, threads) as model:
        return score(model, trial), f"{model.backend.name} {model.backend.version}"


def score(model: Segmenter | QualityScorer, trial: Trial) -> Scores:
    """Metrics of a loaded model per view, in the backend that it was loaded with.

    A network with memory is shown the frames of each patient and view as one clip, in order.
    """
    views = np.array([s.view for s in trial.samples])
    out: Scores = {}
    if isinstance(model, Segmenter):
        rows = [evaluate_frame(mask, sample) for mask, sample in zip(_masks(model, trial.samples), trial.samples)]
        for view in np.unique(views):
            keep = np.flatnonzero(views == view)
            out[str(view), "LV Dice"] = float(np.mean([rows[i]["dice"]["lv"] for i in keep]))
            distances = np.array([rows[i]["hd95"]["lv"] for i in keep])
            out[str(view), "LV HD95 mm"] = float(np.nanmean(distances)) if not np.isnan(distances).all() else np.nan
        return out
    name = model.manifest.inputs[0].name
    output = model.manifest.outputs[0].name
    found = np.array([np.array(model.backend.infer({name: crop[None, None]})[output][0]) for crop in trial.crops])
    true = np.array(trial.scores)
    for view in np.unique(views):
        known = ~np.isnan(true) & (views == view)[:, None]
        out[str(view), "Spearman"] = spearman(found[known], true[known])
    return out


def _masks(model: Segmenter, samples: Sequence[Sample]) -> list[NDArray[np.uint8]]:
    if not model.manifest.states:
        return [model(sample.image) for sample in samples]
    masks = []
    for _, group in groupby(samples, key=lambda s: (s.patient, s.view)):
        clip = [sample.image for sample in group]
        sector = find_sector(clip)
        model.reset()
        masks += [model(image, sector) for image in clip]
    return masks


def outputs_of(path: Path, backend: str, runs: Iterable[Inputs]) -> list[NDArray[np.generic]]:
    """The first output of each run of an ONNX file, copied."""
    opened = open_backend(path, backend)
    outputs = [np.array(next(iter(opened.infer(run).values()))) for run in runs]
    opened.close()
    return outputs


def disagreement(found: Sequence[NDArray[np.generic]], expected: Sequence[NDArray[np.generic]]) -> float:
    """How far outputs are from FP32's: 1 - mean LV Dice of two lists of masks, or the mean difference of scores (1-5)."""
    if expected[0].dtype == np.uint8:
        return 1 - float(np.mean([dice(a == LV, b == LV) for a, b in zip(found, expected)]))
    return float(np.mean([np.abs(a - b).mean() for a, b in zip(found, expected)]))  # type: ignore[operator]
