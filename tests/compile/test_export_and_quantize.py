"""From checkpoint to a model folder that the runtime opens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import edge
from compile.export import main as export
from compile.quantize import int8_from_onnx
from edge.errors import ModelError
from tests.phantom import apical_frame
from train.checkpoint import load_checkpoint, save_checkpoint
from train.nets import NETS


def checkpoint(folder: Path, net: str, size: int) -> Path:
    torch.manual_seed(0)
    model = NETS[net](4, size) if net == "pspnet-mk" else NETS[net]()
    facts = {
        "net": net,
        "size": size,
        "classes": ["background", "LV", "myocardium", "LA"],
        "training_frames": 1,
        "history": [],
    }
    path = folder / "last.safetensors"
    save_checkpoint(path, {f"ema.{n}": t for n, t in model.state_dict().items()}, facts)
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside torch's exporter
@pytest.mark.parametrize(("net", "size"), [("pspnet-mk", 89), ("quality", 256)])
def test_a_checkpoint_becomes_a_folder_the_runtime_opens(tmp_path: Path, net: str, size: int) -> None:
    out = tmp_path / "model"
    assert (
        export([str(checkpoint(tmp_path, net, size)), "--name", net, "--out", str(out), "--licence", "Apache-2.0"]) == 0
    )
    manifest = json.loads((out / "fp32.json").read_text())
    assert manifest["licence"] == "Apache-2.0"
    assert manifest["inputs"][0] == {
        "name": "frame", "shape": [1, 1, size, size], "dtype": "uint8", "meaning": "grey sector crop, 0-255",
    }  # fmt: skip
    with edge.open_model(out) as model:
        result = model(apical_frame())
    assert result.shape == ((400, 400) if net == "pspnet-mk" else (8,))
    rng = np.random.default_rng(0)
    inputs = [rng.integers(0, 256, (1, 1, size, size), np.uint8) for _ in range(3)]
    int8_from_onnx(out / "fp32.onnx", out / "int8.onnx", inputs)
    assert (out / "int8.onnx").stat().st_size < 0.4 * (out / "fp32.onnx").stat().st_size
    graph = onnx.load(out / "int8.onnx").graph
    weights = {t.name: t.data_type for t in graph.initializer}
    assert onnx.TensorProto.INT8 in weights.values()
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_a_checkpoint_survives_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, "quality", 256)
    _, facts = load_checkpoint(path)
    assert facts["net"] == "quality"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="no readable checkpoint"):
        load_checkpoint(path)
