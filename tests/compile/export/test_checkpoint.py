from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import echoedge
from compile.export.checkpoint import onnx_from_checkpoint
from compile.export.command import main as export
from edge.errors import ModelError
from edge.nets.manifest import read_manifest
from tests.compile.conftest import SIZES
from train.checkpoint import load_checkpoint


@pytest.mark.parametrize("net", SIZES)
def test_a_checkpoint_becomes_a_folder_the_runtime_opens(folders: dict[str, Path], net: str) -> None:
    manifest = read_manifest(folders[net] / "fp32.json")
    port = manifest.inputs[0]
    assert (port.name, port.shape, port.dtype) == ("frame", (1, 1, SIZES[net], SIZES[net]), "uint8")
    assert manifest.gates.failures() == []
    with echoedge.open_model(folders[net]) as model:
        assert model.infer().shape == ((89, 89) if net == "pspnet-mk" else (8,))


def test_opset_17_has_no_shape_arithmetic_left(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    _, frames = onnx_from_checkpoint(checkpoints["pspnet-mk"], tmp_path / "a.onnx", opset=17)
    model = onnx.load(tmp_path / "a.onnx")
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert not {"Shape", "Gather", "Slice", "BatchNormalization"} & {n.op_type for n in model.graph.node}
    assert frames == 1


def test_a_size_the_pyramid_cannot_pool_is_refused_before_anything_is_written(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ModelError, match=r"300 gives a 19x19 map.* use 281 or 377"):
        export([str(checkpoints["pspnet-mk"]), "--name", "x", "--out", str(out), "--size", "300"])
    assert not out.exists()


def test_a_broken_checkpoint_is_refused(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(checkpoints["quality"].read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot read the checkpoint"):
        load_checkpoint(broken)
