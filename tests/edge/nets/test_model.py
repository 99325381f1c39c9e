"""The shipped models through the public three lines of Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import echoedge
from edge.errors import BackendError
from edge.nets.backends import BACKENDS
from edge.nets.model import QualityScorer, Segmenter
from tests.phantom import apical_frame, apical_mask


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_three_lines_segment_a_phantom(root: Path, precision: str, backend: str) -> None:
    with echoedge.open_model(root / "models/pspnet-mk", precision, backend) as segment:
        frame = apical_frame()
        mask = segment(frame)
    assert mask.shape == frame.shape
    assert mask.dtype == np.uint8
    true, found = apical_mask() == 1, mask == 1
    assert 2 * (true & found).sum() / (true.sum() + found.sum()) > 0.8


def test_a_colour_frame_of_another_shape(root: Path) -> None:
    with echoedge.open_model(root / "models/pspnet-mk") as segment:
        mask = segment(np.repeat(apical_frame(size=300)[:, :280, None], 3, axis=2))
    assert mask.shape == (300, 280)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_eight_scores_fall_with_the_picture(root: Path, precision: str) -> None:
    with echoedge.open_model(root / "models/quality", precision) as score:
        assert isinstance(score, QualityScorer)
        frame = apical_frame()
        sector = echoedge.find_sector([frame])
        clear = score(frame, sector)
        veiled = frame.copy()
        veiled[frame > 0] = 40
        hidden = score(veiled, sector)
    assert clear.shape == (8,)
    assert ((clear >= 1) & (clear <= 5)).all()
    assert hidden.mean() < clear.mean()


def test_both_backends_agree(root: Path) -> None:
    masks = []
    for backend in BACKENDS:
        with echoedge.open_model(root / "models/pspnet-mk", "fp32", backend) as segment:
            masks.append(segment(apical_frame()))
    assert (masks[0] == masks[1]).mean() > 0.9995


def test_int8_stays_close_to_fp32(root: Path) -> None:
    masks = []
    for precision in ("fp32", "int8"):
        with echoedge.open_model(root / "models/pspnet-mk", precision) as segment:
            assert isinstance(segment, Segmenter)
            masks.append(segment(apical_frame()))
    assert (masks[0] == masks[1]).mean() > 0.98


def test_an_unknown_backend_lists_those_there_are(root: Path) -> None:
    with pytest.raises(BackendError, match="choose auto, openvino or onnxruntime"):
        echoedge.open_model(root / "models/pspnet-mk", backend="tpu")


@pytest.mark.parametrize("folder", ["pspnet-mk", "quality"])
def test_one_preprocess_along_the_chain(root: Path, folder: str) -> None:
    from edge.nets.manifest import find_manifests

    manifests = [m for m, _ in find_manifests(root / "models" / folder)]
    assert {m.precision for m in manifests} == {"fp32", "fp16", "int8"}
    assert len({m.preprocess for m in manifests}) == 1
    by_precision = {m.precision: m for m in manifests if m.target in ("any", "cpu")}
    assert by_precision["int8"].parent_sha256 == by_precision["fp32"].sha256
    assert by_precision["int8"].calibration_sha256
    assert all(m.inputs[0].shape == (1, 1, m.preprocess.size_px, m.preprocess.size_px) for m in manifests)
