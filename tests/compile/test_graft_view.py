"""A view head on a quality network's file: the scores keep their bits, the answers are the head's."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from compile.graft_view import OUTPUTS, graft_folder, grafted
from edge.errors import ModelError
from edge.heart.plane import PLANES
from edge.nets.manifest import find_manifests
from edge.nets.model import QualityScorer, open_model
from train.nets.view_head import ViewHead, ViewOutputs
from train.view.features import Trunk

PICTURE = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)


@pytest.fixture
def head(tmp_path: Path) -> tuple[ViewHead, Path]:
    torch.manual_seed(0)
    made = ViewHead().eval()
    save_file(made.state_dict(), tmp_path / "head.safetensors")
    return made, tmp_path / "head.safetensors"


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_scores_keep_their_bits_and_the_head_answers(
    precision: str, head: tuple[ViewHead, Path], tmp_path: Path, model_folders: dict[str, Path]
) -> None:
    folder = tmp_path / "quality"
    shutil.copytree(model_folders["quality"], folder)
    files = graft_folder(folder, head[1])
    assert set(files) >= {"int8.onnx", "fp32.onnx", "fp16.onnx", "int8-tensorrt.onnx"}
    with open_model(model_folders["quality"], precision) as before, open_model(folder, precision) as after:
        assert isinstance(after, QualityScorer)
        for model in (before, after):
            model.picture[:] = PICTURE
        assert np.array_equal(before.infer(), after.infer())
        answer = after.plane_probabilities
    assert answer is not None
    fine, coarse = (torch.from_numpy(a[None]).float() for a in Trunk(folder / f"{precision}.onnx")(PICTURE))
    with torch.inference_mode():
        planes, mirrored, upside_down = (part.numpy() for part in ViewOutputs(head[0])(fine, coarse))
    assert answer[0] == pytest.approx(planes[0], abs=0.01)
    assert answer[1:] == pytest.approx((mirrored.item(), upside_down.item()), abs=0.01)


def test_manifests_follow_and_a_second_head_replaces_the_first(
    head: tuple[ViewHead, Path], tmp_path: Path, model_folders: dict[str, Path]
) -> None:
    folder = tmp_path / "quality"
    shutil.copytree(model_folders["quality"], folder)
    for _ in range(2):
        graft_folder(folder, head[1])
    found = {manifest.file: manifest for manifest, _ in find_manifests(folder)}
    int8, fp32 = found["int8.onnx"], found["fp32.onnx"]
    assert int8.parent_sha256 == fp32.sha256
    assert int8.gates.accuracy is not None
    assert int8.gates.accuracy.reference_sha256 == fp32.sha256
    assert [port.name for port in int8.outputs] == ["scores", *(port.name for port in OUTPUTS)]
    assert int8.outputs[1].shape == (1, len(PLANES))
    graph = onnx.load(folder / "int8.onnx").graph
    assert [value.name for value in graph.output] == ["scores", *(port.name for port in OUTPUTS)]


def test_a_graph_without_the_trunk_is_refused() -> None:
    with pytest.raises(ModelError, match="has no tensor 'add_7'"):
        grafted(onnx.ModelProto(graph=onnx.GraphProto()), {})
