"""The three methods of regional quality on one set of frames, and how well each agrees with labels (paper, 2.3 and
3.2).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import DataError, MissingExtraError
from train.evaluate.metrics import spearman
from train.quality.classical import METRICS, LabelMap, fit_label_map, region_means, region_metrics
from train.quality.coherence import predict_coherence
from train.quality.crops import VALIDATION_STREAM, Crop, Scored, gamma_curve, scored

COHERENCE, END_TO_END = "coherence", "end-to-end"
METHODS = (*METRICS, COHERENCE, END_TO_END)
Scores = NDArray[np.float64]
"""N x 8, NaN where a region is excluded."""
Scorer = Callable[[Sequence[Scored]], NDArray[np.floating]]
"""Frames to N x 8 scores."""


@dataclass(frozen=True)
class LabelledFrames:
    """Frames with labels; `labels` N x 8, NaN where excluded, `patients` N names."""

    crops: tuple[Crop, ...]
    frames: tuple[Scored, ...]

    @property
    def labels(self) -> Scores:
        return np.stack([f.scores for f in self.frames]).astype(np.float64)

    @property
    def patients(self) -> NDArray[np.str_]:
        return np.array([c.patient for c in self.crops])


def make_test_set(crops: Sequence[Crop], seed: int) -> LabelledFrames:
    """Crops with their scores, degraded by the seed where they have none; those without regions are left out.

    Raises DataError when none is left.
    """
    made = [(c, scored(c, np.random.default_rng([seed, VALIDATION_STREAM, k]))) for k, c in enumerate(crops)]
    kept = [(crop, frame) for crop, frame in made if frame is not None]
    if not kept:
        raise DataError("no frame has regions to score; check the data and its masks")
    return LabelledFrames(tuple(crop for crop, _ in kept), tuple(frame for _, frame in kept))


def measure(test: LabelledFrames, coherence_net: torch.nn.Module | None, score: Scorer) -> dict[str, Scores]:
    """Method -> N x 8 values: the classical metrics, mean predicted coherence (with a network), end-to-end score
    1-5.
    """
    columns: dict[str, list[Scores]] = {name: [] for name in METRICS}
    for crop, frame in zip(test.crops, test.frames):
        for name, values in region_metrics(frame.image, crop.mask, frame.labels, crop.sector).items():
            columns[name].append(values)
    found = {name: np.stack(values) for name, values in columns.items()}
    if coherence_net is not None:
        coherent = predict_coherence(coherence_net, [f.image for f in test.frames])
        found[COHERENCE] = np.stack([region_means(c, f.labels) for c, f in zip(coherent, test.frames)])
    found[END_TO_END] = np.clip(score(test.frames), 1, 5).astype(np.float64)
    return found


def regraded(test: LabelledFrames, gamma: float) -> LabelledFrames:
    """The same frames under another gamma of the display, with their labels and regions: no loss of quality."""
    curve = gamma_curve(gamma)
    return LabelledFrames(
        test.crops, tuple(f._replace(image=np.asarray(cv2.LUT(f.image, curve), np.uint8)) for f in test.frames)
    )


def mean_shift(a: Scores, b: Scores) -> float:
    """Mean absolute difference of two N x 8 scores where both are known."""
    return float(np.nanmean(np.abs(a - b)))


def label_maps(found: Mapping[str, Scores], labels: Scores) -> dict[str, LabelMap]:
    """The line from each metric to labels, fitted on training and validation frames; the network needs none."""
    return {n: LabelMap(1.0, 0.0) if n == END_TO_END else fit_label_map(v, labels) for n, v in found.items()}


def mapped(found: Mapping[str, Scores], maps: Mapping[str, LabelMap]) -> dict[str, Scores]:
    """Scores 1-5 of each method."""
    return {name: np.clip(maps[name](values), 1, 5) for name, values in found.items()}


def agreement(scores: Scores, labels: Scores) -> dict[str, float]:
    """ "spearman", "mae" and "accuracy" (share that rounds to the label's level, paper, table 4) over labelled regions,
    and "n".

    Spearman's correlation is 0 where the scores do not vary.
    """
    known = np.isfinite(scores) & np.isfinite(labels)
    a, b = scores[known], labels[known]
    varies = a.size > 1 and np.ptp(a) > 0 and np.ptp(b) > 0
    return {
        "n": int(known.sum()),
        "spearman": spearman(a, b) if varies else 0.0,
        "mae": float(np.abs(a - b).mean()),
        "accuracy": float((np.round(a) == np.round(b)).mean()),
    }


def interval(
    scores: Scores, labels: Scores, patients: NDArray[np.str_], draws: int = 400, seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval of Spearman's correlation, drawing patients with replacement."""
    names = np.unique(patients)
    rows = {name: np.flatnonzero(patients == name) for name in names}
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        index = np.concatenate([rows[name] for name in rng.choice(names, len(names))])
        drawn.append(agreement(scores[index], labels[index])["spearman"])
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def wilcoxon_p(a: Scores, b: Scores, labels: Scores, patients: NDArray[np.str_]) -> float:
    """p of the signed-rank test (Wilcoxon 1945) that two methods err alike: on the mean absolute error of each patient.

    The paper tests single regions; those of one patient are not independent. 1 where the methods do not differ at all.
    Raises MissingExtraError without SciPy.
    """
    errors = np.array(
        [[np.nanmean(np.abs(scores - labels)[patients == name]) for scores in (a, b)] for name in np.unique(patients)]
    )
    difference = errors[:, 0] - errors[:, 1]
    difference = difference[np.isfinite(difference)]
    if not difference.any():
        return 1.0
    return float(statistics().wilcoxon(difference).pvalue)


def statistics() -> Any:
    """scipy.stats. Raises MissingExtraError without SciPy."""
    try:
        from scipy import stats
    except ModuleNotFoundError as error:
        raise MissingExtraError("significance tests", "train") from error
    return stats


def grades_ordered(means: Mapping[str, NDArray[np.float64]]) -> list[tuple[str, str, float]]:
    """(better grade, worse grade, one-sided Mann-Whitney p) of neighbouring grades, best first, from patients' mean
    scores.
    """
    names = list(means)
    stats = statistics()
    return [
        (better, worse, float(stats.mannwhitneyu(means[better], means[worse], alternative="greater").pvalue))
        for better, worse in itertools.pairwise(names)
    ]
