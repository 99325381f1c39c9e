from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from tests.phantom import apical_frame, apical_mask
from tests.train.test_nets import folded_weights
from train.checkpoint import load_checkpoint
from train.data.folder import COLUMNS
from train.nets.mobilenet_v2 import Trunk
from train.quality import main


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
        ["--data", f"folder:{tmp_path}", "--valid", str(tmp_path / "valid.txt"), "--epochs", "1", "--lr", "1e-5",
         "--imagenet", str(tmp_path / "w.npz"), "--out", str(tmp_path / "run")]
    )  # fmt: skip
    assert code == 0
    _, facts = load_checkpoint(tmp_path / "run/last.safetensors")
    assert facts["net"] == "quality"
    assert facts["training_frames"] == 16
    assert len(facts["history"]) == 1
