"""Predicted quality against the errors of what is measured: segmentation and EF (regional-quality paper, 3.4 and figure
7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.heart.regions import NotMeasurable, find_regions
from edge.nets.model import QualityScorer, Segmenter
from edge.screen.sector import find_sector
from train.data.sample import LV, MYOCARDIUM, Sample
from train.evaluate.ef import agreement, matched, planes_of, single_plane_ef
from train.evaluate.metrics import dice
from train.quality.methods import statistics

GROUPS = ("low", "middle", "high")
"""Thirds by predicted quality. The paper groups by rounded level; fifty patients fill too few levels for that."""


@dataclass(frozen=True)
class Judged:
    """One frame: mean predicted quality of its regions inside the sector, Dice of LV and wall, and the predicted
    mask.
    """

    sample: Sample
    quality: float
    dice_lv: float
    dice_myo: float
    mask: NDArray[np.uint8]


def judge(samples: Sequence[Sample], segmenter: Segmenter, scorer: QualityScorer) -> list[Judged]:
    """Run both models as the runtime does."""
    rows = []
    for sample in samples:
        sector = find_sector([sample.image])
        mask, scores = segmenter(sample.image, sector), scorer(sample.image, sector)
        regions = find_regions(mask, sample.spacing_mm, sector.mask)
        seen = slice(None) if isinstance(regions, NotMeasurable) else regions.included
        lv, wall = (
            dice(mask == label, sample.mask == label) if label in sample.known else np.nan for label in (LV, MYOCARDIUM)
        )
        rows.append(Judged(sample, float(scores[seen].mean()), lv, wall, mask))
    return rows


def by_thirds(
    quality: NDArray[np.float64], found: NDArray[np.float64], reference: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """Group -> lowest and highest quality and the agreement of found with reference values, groups of equal size by
    quality.
    """
    order = np.argsort(quality, kind="stable")
    table = {}
    for name, part in zip(GROUPS, np.array_split(order, len(GROUPS))):
        fit = agreement(found[part], reference[part])
        table[name] = {"from": float(quality[part].min()), "to": float(quality[part].max()), **asdict(fit)}
    return table


def relation(rows: Sequence[Judged]) -> dict[str, Any]:
    """View -> "dice": Spearman of quality with Dice of LV and wall over frames that annotate it; "ef": groups as
    `by_thirds`, Spearman of quality with the absolute EF error. Each correlation comes with its p.

    EF is of one plane, in percent, its reference that of the experts' masks by the same formula. Views without ED and
    ES of enough patients have no "ef".
    """
    spearmanr = statistics().spearmanr
    result: dict[str, Any] = {}
    for view in sorted({r.sample.view for r in rows}):
        frames = [r for r in rows if r.sample.view == view]
        quality = np.array([r.quality for r in frames])
        part: dict[str, Any] = {"n": len(frames), "dice": {}}
        for name in ("dice_lv", "dice_myo"):
            dices = np.array([getattr(r, name) for r in frames])
            known = ~np.isnan(dices)
            if not known.any():
                continue
            fit = spearmanr(quality[known], dices[known])
            part["dice"][name] = {"spearman": float(fit.statistic), "p": float(fit.pvalue)}
        found = single_plane_ef(planes_of((r.sample, r.mask) for r in frames), view)
        true = single_plane_ef(planes_of((r.sample, r.sample.mask) for r in frames), view)
        patients = sorted(found.keys() & true.keys())
        if len(patients) >= 2 * len(GROUPS):
            mean = np.array([np.mean([r.quality for r in frames if r.sample.patient == p]) for p in patients])
            pair = matched(found, true)
            difference = pair.found - pair.reference
            fit = spearmanr(mean, np.abs(difference))
            part["ef"] = {
                "groups": by_thirds(mean, pair.found, pair.reference),
                "spearman": float(fit.statistic),
                "p": float(fit.pvalue),
                "quality": mean.tolist(),
                "difference": difference.tolist(),
            }
        result[view] = part
    return result
