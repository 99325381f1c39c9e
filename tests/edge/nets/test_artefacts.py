"""One answer to "which artefact of this folder?"."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.errors import ModelError
from edge.nets.artefacts import DENOISER, ENCODER, QUALITY, SEGMENTATION, Found, choose, readable, usable
from edge.nets.manifest import AccuracyGate, Change, Gates, find_manifests

FAILED = Gates(
    accuracy=AccuracyGate(
        reference_sha256="", backend="", data="", frames=1, changes=(Change("A4C", "LV Dice", 0.9, 0.5, 0.01),)
    )
)


@pytest.fixture
def found(root: Path) -> list[Found]:
    return find_manifests(root / "models" / "pspnet-mk")


@pytest.mark.parametrize("target", ["any", "cpu", "tensorrt"])
@pytest.mark.parametrize("task", [ENCODER, DENOISER])
def test_each_graph_of_a_refining_model_is_chosen_by_its_own_task(root: Path, task: str, target: str) -> None:
    found = find_manifests(root / "models" / "echo-dnd")
    manifest, path = choose(found, task, "fp32", target)
    assert manifest.task == task
    assert path.name == f"{task.removeprefix('refine-')}-fp32.json"


@pytest.mark.parametrize(
    ("precision", "target", "file"),
    [
        ("auto", "cpu", "int8.onnx"),
        ("fp32", "cpu", "fp32.onnx"),
        ("auto", "tensorrt", "fp16.onnx"),
        ("int8", "tensorrt", "int8-tensorrt.onnx"),
        ("auto", "any", "fp32.onnx"),
    ],
)
def test_a_target_gets_its_own_file(found: list[Found], precision: str, target: str, file: str) -> None:
    assert choose(found, SEGMENTATION, precision, target)[0].file == file


def test_a_file_made_for_the_target_goes_before_one_for_all(found: list[Found]) -> None:
    wide = next(pair for pair in found if pair[0].precision == "fp32")
    own = (msgspec.structs.replace(wide[0], target="cpu", file="own.onnx"), wide[1])
    for pairs in ([wide, own], [own, wide]):
        assert readable(pairs, SEGMENTATION, "cpu")["fp32"][0].file == "own.onnx"


def test_what_failed_a_gate_is_passed_over_and_refused_by_name(found: list[Found]) -> None:
    failing = [(msgspec.structs.replace(m, gates=FAILED) if m.precision == "int8" else m, p) for m, p in found]
    assert choose(failing, SEGMENTATION, "auto", "cpu")[0].precision == "fp32"
    assert usable(failing, SEGMENTATION, "int8", "cpu") == []
    with pytest.raises(ModelError, match=r"int8\.onnx failed a gate: LV Dice of A4C .*--allow-failed-gate"):
        choose(failing, SEGMENTATION, "int8", "cpu")
    assert choose(failing, SEGMENTATION, "int8", "cpu", allow_failed_gate=True)[0].precision == "int8"


def test_what_a_folder_lacks_is_named_with_the_remedy(found: list[Found]) -> None:
    with pytest.raises(ModelError, match="no fp16 file of segmentation for the target cpu, only fp32, int8; make it"):
        choose([p for p in found if p[0].target != "tensorrt"], SEGMENTATION, "fp16", "cpu")
    with pytest.raises(ModelError, match="no fp32 file of segmentation; make it with `echoedge export`"):
        choose([pair for pair in found if pair[0].precision != "fp32"], SEGMENTATION, "fp32", "any")
    with pytest.raises(ModelError, match="holds no file of quality for the target cpu; it is for segmentation"):
        choose(found, QUALITY, "auto", "cpu")
