"""The runs behind the regional-quality tables: both networks, their test sets, rows that are stored as they finish."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import DataError
from edge.nets.manifest import sha256_of
from edge.nets.model import open_segmenter
from edge.picture.palette import quality_colour
from train.checkpoint import load_checkpoint
from train.data.camus import read_grades, read_split
from train.nets.quality_net import QualityNet, Variant
from train.quality.classical import LabelMap
from train.quality.coherence import RECIPES as COHERENCE_RECIPES
from train.quality.coherence import load_coherence, similarity, train_coherence
from train.quality.coherence_data import open_coherence
from train.quality.crops import Crop, open_crops, region_labels, with_masks
from train.quality.crops import Scored as ScoredFrame
from train.quality.end_to_end import RECIPES, load_quality, predict_scores, train_quality, validate
from train.quality.methods import (
    COHERENCE,
    END_TO_END,
    METHODS,
    LabelledFrames,
    Scores,
    agreement,
    grades_ordered,
    interval,
    label_maps,
    make_test_set,
    mapped,
    mean_shift,
    measure,
    regraded,
    wilcoxon_p,
)
from train.reproduce.quality_rows import (
    ABLATION,
    COHERENCE_SEED,
    FIT_FRAMES,
    FIT_SEED,
    TEST_SEED,
    TRAIN_SEED,
    Scale,
)
from train.results import machine, store_row, stored_row

GRADES = ("Good", "Medium", "Poor")
GAMMAS = (0.9, 1.1)
COMPARED = ("gCNR", COHERENCE, END_TO_END)
PICTURES = 6
Row = Callable[[], dict[str, Any]]


def draw(crops: Sequence[Crop], count: int | None, seed: int) -> list[Crop]:
    """`count` crops drawn by seed, in their order; all of them for None."""
    if count is None or count >= len(crops):
        return list(crops)
    chosen = np.random.default_rng(seed).permutation(len(crops))[:count]
    return [crops[k] for k in sorted(chosen)]


class Table4:
    """One run in a folder: the two networks are trained there, and each row is stored as it is done."""

    def __init__(self, args: argparse.Namespace, scale: Scale) -> None:
        self.folder: Path = args.out or Path("runs") / "quality-table4" / f"{args.scale}-seed{args.seed}"
        self.scale, self.seed = scale, args.seed
        self.places, self.held_out = args.data, set(read_split(args.valid)) if args.valid else set()
        if args.data and not self.held_out:
            raise DataError("--data needs --valid, a file of the patients that are kept for the test")
        self.graded, self.experts, self.segmentation = args.graded, args.experts, args.segmentation
        if self.experts and not self.segmentation:
            raise DataError(
                "the regions of --experts come from a segmentation model; add --segmentation models/pspnet-mk"
            )
        if self.graded and not self.places:
            raise DataError("--graded grades the two-chamber frames of --data; add those")
        self.quality_path, self.coherence_path, self.imagenet = args.quality, args.coherence, args.imagenet
        self.settings = {
            "scale": asdict(scale),
            "seed": self.seed,
            "data": sorted(p.partition(":")[0] for p in self.places),
            "held_out": sorted(self.held_out),
            "imagenet": bool(self.imagenet),
            "quality": sha256_of(self.quality_path) if self.quality_path else "",
            "coherence": sha256_of(self.coherence_path) if self.coherence_path else "",
        }

    @cached_property
    def real(self) -> tuple[list[Crop], list[Crop]]:
        """(training, held-out) frames of the annotated data sets."""
        crops = [c for place in self.places for c in open_crops(place)]
        training = [c for c in crops if c.patient not in self.held_out]
        return training, [c for c in crops if c.patient in self.held_out]

    @cached_property
    def quality_net(self) -> QualityNet:
        if self.quality_path:
            facts = load_checkpoint(self.quality_path)[1]
            known = set(facts.validation_patients)
            if self.held_out and not self.held_out & {c.patient for c in self.real[1]} <= known:
                raise DataError(
                    f"{self.quality_path} was not trained with these patients held out; give its own --valid"
                )
            return load_quality(self.quality_path)
        return load_quality(self._trained(Variant(), self.scale.epochs, self.folder / "end-to-end"))

    def _trained(self, variant: Variant, epochs: int, folder: Path) -> Path:
        last = folder / "last.safetensors"
        config = replace(RECIPES["modern"], seed=self.seed, epochs=epochs, warmup_steps=50)
        if not last.exists() or len(load_checkpoint(last)[1].history) < epochs:
            synthetic = list(open_crops(f"synth:{self.scale.synthetic_loops}@{TRAIN_SEED}"))
            training = [*draw(self.real[0], self.scale.real_frames, self.seed), *synthetic[: len(synthetic) * 9 // 10]]
            own = {c.patient for c in training}
            watched = [c for c in synthetic[len(synthetic) * 9 // 10 :] if c.patient not in own]
            pretrained = self.imagenet if variant.backbone == "mobilenet-v2" else None
            train_quality(training, watched, variant, config, folder, imagenet=pretrained, data=self.settings["data"])
        return last

    @cached_property
    def coherence_net(self) -> torch.nn.Module:
        if self.coherence_path:
            return load_coherence(self.coherence_path)
        folder = self.folder / "coherence"
        last = folder / "last.safetensors"
        config = replace(COHERENCE_RECIPES["modern"], seed=self.seed, epochs=self.scale.coherence_epochs)
        if not last.exists() or len(load_checkpoint(last)[1].history) < config.epochs:
            frames = list(open_coherence(f"synth:{self.scale.coherence_loops}@{COHERENCE_SEED}"))
            cut = max(1, len(frames) // 15)
            train_coherence(frames[cut:], frames[:cut], config, folder, ["synth"])
        return load_coherence(last)

    def measured(self, test: LabelledFrames) -> dict[str, Scores]:
        return measure(test, self.coherence_net, lambda frames: predict_scores(self.quality_net, frames))

    def maps(self, kind: str) -> dict[str, LabelMap]:
        """The lines from metrics to labels, fitted on training data of the same kind, "synthetic" or "injected"; a
        stored row.
        """

        def fitted() -> dict[str, Any]:
            if kind == "synthetic":
                crops = list(open_crops(f"synth:{max(2, self.scale.test_loops // 2)}@{FIT_SEED}"))
            else:
                crops = draw(self.real[0], self.scale.test_frames or FIT_FRAMES, self.seed + 1)
            test = make_test_set(crops, self.seed + 1)
            return {n: asdict(m) for n, m in label_maps(self.measured(test), test.labels).items()}

        stored = self.row(f"lines-{kind}", fitted)
        return {name: LabelMap(**stored[name]) for name in METHODS}

    @cached_property
    def synthetic_test(self) -> LabelledFrames:
        return make_test_set(list(open_crops(f"synth:{self.scale.test_loops}@{TEST_SEED}")), self.seed)

    @cached_property
    def injected_test(self) -> LabelledFrames:
        return make_test_set(draw(self.real[1], self.scale.test_frames, self.seed), self.seed)

    @cached_property
    def experts_test(self) -> LabelledFrames:
        with open_segmenter(self.segmentation) as segmenter:
            return make_test_set(with_masks(list(open_crops(self.experts)), segmenter), self.seed)

    def coherence_row(self) -> dict[str, Any]:
        """Table 3 on held-out loops."""
        frames = list(open_coherence(f"synth:{self.scale.test_loops}@{TEST_SEED}"))
        return {"frames": len(frames), **similarity(self.coherence_net, frames)}

    def labelled_row(self, test: LabelledFrames, name: str) -> dict[str, Any]:
        """Table 4 on one test set: each method's agreement, its 95 % interval, shift under gamma, and Wilcoxon's p in
        pairs.
        """
        labels, patients = test.labels, test.patients
        maps = self.maps("synthetic" if name == "synthetic" or not self.places else "injected")
        found = mapped(self.measured(test), maps)
        shifted = [mapped(self.measured(regraded(test, gamma)), maps) for gamma in GAMMAS]
        rows = {
            method: {
                **agreement(scores, labels),
                "ci95": interval(scores, labels, patients),
                "gamma_shift": max(mean_shift(np.where(np.isnan(labels), np.nan, s[method]), scores) for s in shifted),
            }
            for method, scores in found.items()
        }
        pairs = {
            f"{a} - {b}": wilcoxon_p(found[a], found[b], labels, patients) for a, b in itertools.pairwise(COMPARED)
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        np.savez(self.folder / f"{name}.npz", labels=labels, **found)  # type: ignore[arg-type]
        return {"frames": len(test.frames), "patients": len(np.unique(patients)), "methods": rows, "wilcoxon_p": pairs}

    def graded_row(self) -> dict[str, Any]:
        """Mean score of the two-chamber frames as they are, by CAMUS's grade, held-out patients first, then all."""
        grades = read_grades(Path(self.graded))
        frames = [c for side in self.real for c in side if c.view == "A2C" and grades.get(c.patient) in GRADES]
        if not frames:
            raise DataError("no two-chamber frame has a grade; give A2C data with the patients of --graded")
        whole = [replace(c, scores=np.zeros(8, np.float32)) for c in frames]
        test = LabelledFrames(tuple(whole), tuple(_as_they_are(c) for c in whole))
        found = mapped(self.measured(test), self.maps("injected"))
        result: dict[str, Any] = {}
        for side, names in (("held out", self.held_out), ("all", {c.patient for c in frames})):
            result[side] = {"patients": {}, "methods": {}}
            for method in COMPARED:
                means: dict[str, list[float]] = {grade: [] for grade in GRADES}
                for patient in sorted(names & set(test.patients)):
                    means[grades[patient]].append(float(np.nanmean(found[method][test.patients == patient])))
                result[side]["patients"] = {grade: len(values) for grade, values in means.items()}
                arrays = {grade: np.array(values) for grade, values in means.items() if values}
                result[side]["methods"][method] = {
                    "means": {grade: float(values.mean()) for grade, values in arrays.items()},
                    "p": {f"{a} > {b}": p for a, b, p in grades_ordered(arrays)},
                }
        return result

    def ablation_row(self, variant: Variant) -> dict[str, Any]:
        """Tables 8 and 9: one variant, trained and measured on the synthetic and the injected test set."""
        name = "-".join(asdict(variant).values())
        net = load_quality(self._trained(variant, self.scale.ablation_epochs, self.folder / name))
        sets = {"synthetic": self.synthetic_test.frames}
        if self.places:
            sets["injected"] = self.injected_test.frames
        return {"variant": asdict(variant), **{name: validate(net, frames) for name, frames in sets.items()}}

    def picture_rows(self, test: LabelledFrames, kind: str) -> tuple[dict[str, list[NDArray[np.uint8]]], list[str]]:
        """Six frames of different patients, good to poor: method -> pictures with regions in their scores' colours;
        headings.
        """
        means = np.nanmean(test.labels, axis=1)
        firsts = np.unique(test.patients, return_index=True)[1]
        order = firsts[np.argsort(-means[firsts], kind="stable")]
        chosen = [int(order[k]) for k in np.linspace(0, len(order) - 1, PICTURES).round().astype(int)]
        few = LabelledFrames(tuple(test.crops[k] for k in chosen), tuple(test.frames[k] for k in chosen))
        found = mapped(self.measured(few), self.maps(kind))
        plain = [np.asarray(cv2.cvtColor(f.image, cv2.COLOR_GRAY2RGB), np.uint8) for f in few.frames]
        rows: dict[str, list[NDArray[np.uint8]]] = {
            "B-mode": plain,
            "label": [coloured(f, f.scores) for f in few.frames],
        }
        rows |= {m: [coloured(f, s) for f, s in zip(few.frames, found[m])] for m in COMPARED}
        return rows, [f"mean label {means[k]:.1f}" for k in chosen]

    def row(self, name: str, make: Row) -> dict[str, Any]:
        """A row from its file, else made and stored. Raises DataError for a file of other settings."""
        path = self.folder / "rows" / f"{name}.json"
        stored = stored_row(path, self.settings)
        if stored is not None:
            return stored
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        done = {**make(), "settings": self.settings, "machine": machine()}
        return store_row(path, {**done, "seconds": time.monotonic() - started})

    def run(self, ablation: bool) -> dict[str, dict[str, Any]]:
        """All rows by name, in order; sets without data are left out."""
        rows: dict[str, Row] = {"coherence": self.coherence_row}
        rows["synthetic"] = lambda: self.labelled_row(self.synthetic_test, "synthetic")
        if self.places:
            rows["injected"] = lambda: self.labelled_row(self.injected_test, "injected")
        if self.experts:
            rows["experts"] = lambda: self.labelled_row(self.experts_test, "experts")
        if self.graded:
            rows["grades"] = self.graded_row
        if ablation:
            rows |= {f"ablation-{k}": partial(self.ablation_row, variant) for k, variant in enumerate(ABLATION)}
        results = {}
        for name, make in rows.items():
            results[name] = self.row(name, make)
            print(f"{name}: done in {results[name]['seconds']:.0f} s", file=sys.stderr)
        return results


def coloured(frame: ScoredFrame, scores: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The frame as HxWx3 RGB with its regions tinted by their scores."""
    picture = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_GRAY2RGB), np.uint8)
    for k in range(8):
        area = frame.labels == k + 1
        if area.any() and np.isfinite(scores[k]):
            picture[area] = (0.45 * picture[area] + 0.55 * np.array(quality_colour(scores[k]))).astype(np.uint8)
    return picture


def _as_they_are(crop: Crop) -> ScoredFrame:
    return ScoredFrame(crop.image, np.zeros(8, np.float32), region_labels(crop))
