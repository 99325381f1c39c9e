from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edge.errors import ModelError
from train.checkpoint import load_checkpoint, save_checkpoint
from train.facts import Facts, FitConfig
from train.nets.echo_dnd import EchoDNDConfig
from train.nets.quality_net import Variant

SHIPPED = sorted((Path(__file__).parents[2] / "models").glob("*/checkpoint.safetensors"))
WEIGHTS = {"ema.x": torch.zeros(1)}
FACTS = Facts(
    net="echo-dnd",
    size=64,
    classes=("background", "LV"),
    architecture=EchoDNDConfig(size=64),
    variant=Variant(head="classification"),
    config=FitConfig(epochs=2, seed=3),
    history=({"epoch": 1, "loss": 0.5, "dice": 0.25},),
    steps=7,
)


def test_facts_come_back_as_they_were_saved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.safetensors", WEIGHTS, FACTS)
    assert load_checkpoint(tmp_path / "a.safetensors")[1] == FACTS


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_checkpoints_say_how_they_were_made(path: Path) -> None:
    facts = load_checkpoint(path)[1]
    assert facts.training_frames > 1000
    assert len(facts.validation_patients) == 50
    assert len(facts.history) == facts.run.epochs


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"size": 64}, "missing required field `net`"),
        ({"net": "unet", "size": "64"}, r"Expected `int`, got `str` - at `\$.size`"),
        ({"net": "unet", "size": 64, "config": {"seed": 0}}, r"missing required field `epochs` - at `\$.config`"),
        ([], "Expected `object`, got `array`"),
    ],
)
def test_facts_that_do_not_fit_are_named(tmp_path: Path, written: object, said: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file(WEIGHTS, path, metadata={"facts": json.dumps(written)})
    with pytest.raises(ModelError, match=f"{re.escape(str(path))} says something wrong.*{said}"):
        load_checkpoint(path)


def test_tensors_without_facts_are_not_a_checkpoint(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="no facts about a network"):
        load_checkpoint(tmp_path / "a.safetensors")


def test_a_network_that_was_never_trained_has_no_run() -> None:
    with pytest.raises(ModelError, match="train it"):
        _ = Facts(net="unet", size=64).run
