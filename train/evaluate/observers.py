"""Inter-observer variability, and the methods against it (regional-quality paper, 3.3 and table 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from train.data.regional_quality import QualitySample
from train.quality.methods import agreement, statistics

Scores = NDArray[np.floating]


def common_frames(annotators: Sequence[Sequence[QualitySample]]) -> tuple[list[QualitySample], NDArray[np.float32]]:
    """(frames, scores annotators x N x 8) of the frames that all annotators scored, matched by patient, view and file
    name.

    Raises DataError for fewer than two annotators or without a common frame.
    """
    if len(annotators) < 2:
        raise DataError(f"{len(annotators)} annotator was given; variability needs at least two (the paper: three)")
    tables = [{(s.patient, s.view, s.source): s for s in samples} for samples in annotators]
    shared = [key for key in tables[0] if all(key in table for table in tables[1:])]
    if not shared:
        raise DataError("the annotators share no frame: patient, view and file name must be the same")
    return [tables[0][key] for key in shared], np.stack([np.stack([t[key].scores for key in shared]) for t in tables])


def variability(scores: Scores, methods: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    """ "observers" and each method -> n, spearman, mae, accuracy, over the union of pairs.

    scores: annotators x N x 8; methods: name -> N x 8. e_observers = e12 u e23 u e13, e_M = e1M u e2M u e3M.
    """
    pairs = list(combinations(range(len(scores)), 2))
    table = {
        "observers": agreement(
            np.concatenate([scores[i] for i, _ in pairs]), np.concatenate([scores[j] for _, j in pairs])
        )
    }
    everyone = np.concatenate(list(scores))
    for name, values in methods.items():
        table[name] = agreement(np.concatenate([values] * len(scores)), everyone)
    return table


def error_steps(scores: Scores, methods: Mapping[str, Scores]) -> dict[str, list[float]]:
    """Share of score differences that round to 0, 1, 2, 3 and 4 levels (figure 6), of "observers" and each method."""
    pairs = list(combinations(range(len(scores)), 2))
    differences = {"observers": np.concatenate([scores[i] - scores[j] for i, j in pairs])}
    differences |= {name: np.concatenate([s - values for s in scores]) for name, values in methods.items()}
    shares = {}
    for name, values in differences.items():
        steps = np.round(np.abs(values[np.isfinite(values)])).astype(int)
        shares[name] = (np.bincount(steps, minlength=5)[:5] / max(1, steps.size)).tolist()
    return shares


def observer_p(scores: Scores, method: Scores) -> float:
    """p of Wilcoxon's signed-rank test that a method errs as the observers do, on each region's mean absolute error."""
    pairs = list(combinations(range(len(scores)), 2))
    between = np.mean([np.abs(scores[i] - scores[j]) for i, j in pairs], axis=0)
    against = np.mean([np.abs(s - method) for s in scores], axis=0)
    difference = (against - between)[np.isfinite(against - between)]
    return float(statistics().wilcoxon(difference).pvalue) if difference.any() else 1.0
