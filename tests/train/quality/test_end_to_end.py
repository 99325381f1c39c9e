from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from compile.export.checkpoint import graph_from_checkpoint
from edge.errors import DataError, ModelError
from tests.phantom import apical_frame, apical_mask
from tests.train.nets.test_pspnet_mk import folded_weights
from train.checkpoint import load_checkpoint
from train.data.folder import COLUMNS
from train.nets.mobilenet_v2 import Trunk
from train.nets.quality_net import Variant
from train.quality.end_to_end import load_quality, main


def make_folder(root: Path, patients: int) -> None:
    cv2.imwrite(str(root / "mask.png"), apical_mask())
    with (root / "frames.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number in range(patients):
            cv2.imwrite(str(root / f"{number}.png"), apical_frame(seed=number))
            rows.writerow([f"{number}.png", "mask.png", 0.4, 0.4, "A4C", "ED", f"p{number}"])


def test_an_epoch_from_imagenet_weights_ends_in_a_checkpoint(tmp_path: Path) -> None:
    make_folder(tmp_path, 18)
    (tmp_path / "valid.txt").write_text("p16\np17\n")
    np.savez(tmp_path / "w.npz", **folded_weights(Trunk()))
    code = main(
        [
            "--data",
            f"folder:{tmp_path}",
            "--valid",
            str(tmp_path / "valid.txt"),
            "--epochs",
            "1",
            "--lr",
            "1e-5",
            "--imagenet",
            str(tmp_path / "w.npz"),
            "--out",
            str(tmp_path / "run"),
        ]
    )
    assert code == 0
    _, facts = load_checkpoint(tmp_path / "run/last.safetensors")
    assert facts.net == "quality"
    assert facts.training_frames == 16
    assert len(facts.history) == 1


def test_a_variant_trains_on_synthetic_frames_and_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("synth00000\nsynth00001\n")
    options = ["--data", "synth:16@0", "--valid", str(tmp_path / "valid.txt"), "--epochs", "1", "--recipe", "paper"]
    out = tmp_path / "run"
    assert (
        main([*options, "--backbone", "cvc", "--head", "classification", "--attention", "hard", "--out", str(out)]) == 0
    )
    _, facts = load_checkpoint(out / "last.safetensors")
    assert facts.variant == Variant("cvc", "classification", "hard")
    assert facts.labels["injected regional degradation"] == 0
    assert load_quality(out / "last.safetensors").variant == Variant("cvc", "classification", "hard")
    with pytest.raises(ModelError, match="quality-ablation"):
        graph_from_checkpoint(out / "last.safetensors")


def test_imagenet_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("synth00000\n")
    with pytest.raises(DataError, match="starts at random"):
        main(
            [
                "--data",
                "synth:2@0",
                "--valid",
                str(tmp_path / "valid.txt"),
                "--backbone",
                "cvc",
                "--imagenet",
                "w.npz",
                "--out",
                str(tmp_path / "run"),
            ]
        )


def test_frozen_stages_stay_bit_for_bit_and_the_rest_is_trained(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("synth00000\nsynth00001\n")
    data = ["--data", "synth:18@0", "--valid", str(tmp_path / "valid.txt"), "--epochs", "1"]
    assert main([*data, "--out", str(tmp_path / "first")]) == 0
    first = tmp_path / "first/last.safetensors"
    start = ["--init-from", str(first), "--freeze", "6"]
    assert main([*data, *start, "--out", str(tmp_path / "second")]) == 0
    before, after = (load_quality(path).state_dict() for path in (first, tmp_path / "second/last.safetensors"))
    changed = {name for name in before if not before[name].equal(after[name])}
    assert not {name for name in changed if name.startswith(("trunk.stem", *(f"trunk.stages.{k}." for k in range(6))))}
    assert {"scores.weight", "features.0.weight", "features.1.running_mean"} <= changed


def test_freezing_needs_a_checkpoint() -> None:
    with pytest.raises(DataError, match="give that with --init-from"):
        main(["--data", "synth:2@0", "--valid", "v", "--freeze", "6", "--out", "run"])
