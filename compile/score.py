"""The task metric of a model on held-out data, and its agreement with FP32 on calibration frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compile.graphs import Graphs, is_refiner
from edge.errors import DataError
from edge.nets.artefacts import DENOISER, ENCODER, QUALITY
from edge.nets.model import QualityScorer, Segmenter, open_artefact
from edge.postprocess import LV
from edge.refine.refiner import Refiner, load_refiner
from edge.screen.sector import find_sector
from train.data import open_data
from train.data.sample import Sample
from train.evaluate.metrics import dice, mean_known, spearman
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
    if task != QUALITY:
        return Trial(data, samples)
    kept, crops, scores = [], [], []
    for index, sample in enumerate(samples):
        made = degrade_regions(*sector_crop(sample, size_px), np.random.default_rng([seed, 1_000_000, index]))
        if made is not None:
            kept.append(sample)
            crops.append(made[0])
            scores.append(made[1])
    return Trial(data, tuple(kept), tuple(crops), tuple(scores))


def score_graphs(graphs: Graphs, trial: Trial, backend: str, threads: int | None = None) -> tuple[Scores, str]:
    """Metrics per view of a model, all its graphs together, and the engine's name and release."""
    if is_refiner(graphs):
        with load_refiner(graphs[ENCODER], graphs[DENOISER], backend, threads) as refiner:
            return score_refiner(refiner, trial), f"{refiner.encoder.name} {refiner.encoder.version}"
    ((task, (manifest, path)),) = graphs.items()
    opened = open_artefact(manifest, path, backend, threads)
    engine = f"{opened.name} {opened.version}"
    if task == QUALITY:
        with QualityScorer(manifest, opened) as scorer:
            return score_scorer(scorer, trial), engine
    with Segmenter(manifest, opened) as segmenter:
        return score_segmenter(segmenter, trial), engine


def score_segmenter(segmenter: Segmenter, trial: Trial) -> Scores:
    """LV Dice and HD95 in mm of each view.

    A network with memory is shown the frames of each patient and view as one clip, in order.
    """
    masks = _masks(segmenter, trial.samples)
    return _contour_scores([evaluate_frame(mask, s) for mask, s in zip(masks, trial.samples)], trial)


def score_refiner(refiner: Refiner, trial: Trial) -> Scores:
    """LV Dice and HD95 in mm of each view, of one sample of each frame, always of the same noise."""
    rows = [evaluate_frame(refiner(s.image, samples=1).mask, s, {"lv": 1}) for s in trial.samples]
    return _contour_scores(rows, trial)


def score_scorer(scorer: QualityScorer, trial: Trial) -> Scores:
    """Spearman's correlation with the labels in each view."""
    name, output = scorer.manifest.inputs[0].name, scorer.manifest.outputs[0].name
    found = np.array([np.array(scorer.backend.infer({name: crop[None, None]})[output][0]) for crop in trial.crops])
    true = np.array(trial.scores)
    out: Scores = {}
    for view, keep in _by_view(trial).items():
        known = ~np.isnan(true) & keep[:, None]
        out[view, "Spearman"] = spearman(found[known], true[known])
    return out


def _contour_scores(rows: Sequence[Mapping[str, Any]], trial: Trial) -> Scores:
    out: Scores = {}
    for view, keep in _by_view(trial).items():
        chosen = [row for row, kept in zip(rows, keep) if kept]
        distances = np.array([row["hd95"]["lv"] for row in chosen])
        dices = np.array([row["dice"]["lv"] for row in chosen])
        if np.isnan(dices).all():  # no frame of this view annotates the LV
            continue
        out[view, "LV Dice"] = mean_known(dices)
        out[view, "LV HD95 mm"] = mean_known(distances)
    return out


def _by_view(trial: Trial) -> dict[str, NDArray[np.bool_]]:
    """View -> which of the samples are of it."""
    views = np.array([sample.view for sample in trial.samples])
    return {str(view): views == view for view in np.unique(views)}


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


def disagreement(found: Sequence[NDArray[np.generic]], expected: Sequence[NDArray[np.generic]]) -> float:
    """How far outputs are from FP32's: 1 - mean LV Dice of masks, else the mean difference (scores, probabilities)."""
    if expected[0].dtype == np.uint8:
        return 1 - float(np.mean([dice(a == LV, b == LV) for a, b in zip(found, expected)]))
    return float(np.mean([np.abs(a - b).mean() for a, b in zip(found, expected)]))  # type: ignore[operator]
