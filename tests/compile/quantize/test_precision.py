from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from calib.feed import FrameFeed
from compile.graphs import references_of
from compile.quantize.model import ModelQuantizer
from compile.quantize.precision import FORMS, Quantizer, fp16_from_onnx
from compile.quantize.ranges import BINS, METHODS, Observed, clip_range, observe
from compile.quantize.sensitivity import rank_layers
from compile.score import disagreement
from edge.errors import DataError
from edge.nets.artefacts import SEGMENTATION
from tests.compile.conftest import chosen_set, frames_of


def run(path: Path, frames: list[np.ndarray], integers: bool = True) -> list[np.ndarray]:
    """Without `integers`, Q/DQ pairs round and the layers between them compute in float, as a GPU does."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "0" if integers else "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [session.run(None, {"frame": frame})[0] for frame in frames]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
def test_int8_scores_stay_near_fp32(
    folders: dict[str, Path], quantizers: dict[str, Quantizer], tmp_path: Path, form: str, method: str
) -> None:
    frames = frames_of(256, 16)  # the first four are calibrated on: of random weights four alone say little
    quantizers["quality"].write(tmp_path / "q.onnx", form, method)
    # Eight-bit weights saturate in the integers of x86 CPUs without VNNI, and of them only.
    wrong = disagreement(
        run(tmp_path / "q.onnx", frames, integers=form == "cpu"), run(folders["quality"] / "fp32.onnx", frames)
    )
    assert wrong < 0.05


def test_the_tensorrt_form_has_what_its_parser_takes(quantizers: dict[str, Quantizer], tmp_path: Path) -> None:
    quantizers["pspnet-mk"].write(tmp_path / "q.onnx", "tensorrt")
    graph = onnx.load(tmp_path / "q.onnx").graph
    kinds = {t.name: t for t in graph.initializer}
    quantised = [n for n in graph.node if n.op_type == "DequantizeLinear"]
    assert quantised
    for node in quantised:
        point = onnx.numpy_helper.to_array(kinds[node.input[2]])
        assert point.dtype == np.int8
        assert not point.any()
    producers = {name: node.op_type for node in graph.node for name in node.output}
    clips = [n for n in graph.node if n.op_type == "Clip"]
    assert {producers[n.input[0]] for n in clips} == {"Conv"}  # nothing stands between Conv and Clip


def test_the_cpu_form_folds_clips_and_is_a_third_of_the_size(
    folders: dict[str, Path], quantizers: dict[str, Quantizer], tmp_path: Path
) -> None:
    quantizers["pspnet-mk"].write(tmp_path / "q.onnx", "cpu")
    graph = onnx.load(tmp_path / "q.onnx").graph
    assert "Clip" not in {n.op_type for n in graph.node}
    assert (tmp_path / "q.onnx").stat().st_size < 0.4 * (folders["pspnet-mk"] / "fp32.onnx").stat().st_size
    assert graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8


def test_layers_left_in_float_are_named_and_stay_float(quantizers: dict[str, Quantizer], tmp_path: Path) -> None:
    quantizer = quantizers["pspnet-mk"]
    kept = quantizer.layers[3:5]
    quantizer.write(tmp_path / "q.onnx", float_nodes=kept)
    graph = onnx.load(tmp_path / "q.onnx").graph
    producers = {name: node.op_type for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "Conv":
            weights = producers.get(node.input[1], "float")
            assert weights == ("float" if node.name in kept else "DequantizeLinear"), node.name


def test_layers_are_ranked_worst_first(
    folders: dict[str, Path], quantizers: dict[str, Quantizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    quantizer = quantizers["pspnet-mk"]
    monkeypatch.setattr(quantizer, "layers", quantizer.layers[:3])
    model = ModelQuantizer(
        references=references_of(folders["pspnet-mk"]),
        chosen=chosen_set(),
        feeds={SEGMENTATION: FrameFeed("frame", frames_of(89))},
    )
    monkeypatch.setitem(model.__dict__, "graphs", {SEGMENTATION: quantizer})
    ranked = rank_layers(model, "cpu", "min-max", "onnxruntime")
    assert {name for _, name in ranked} == set(quantizer.layers)
    assert list(ranked.values()) == sorted(ranked.values(), reverse=True)


def test_fp16_keeps_the_types_of_inputs_and_outputs(folders: dict[str, Path], tmp_path: Path) -> None:
    fp16_from_onnx(folders["quality"] / "fp32.onnx", tmp_path / "h.onnx")
    model = onnx.load(tmp_path / "h.onnx")
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    assert model.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    frames = frames_of(256)
    assert disagreement(run(tmp_path / "h.onnx", frames), run(folders["quality"] / "fp32.onnx", frames)) < 0.01


def observed(values: np.ndarray) -> Observed:
    counts, _ = np.histogram(np.abs(values), BINS, (0, np.abs(values).max()))
    return Observed(float(values.min()), float(values.max()), counts)


def test_methods_clip_outliers_and_keep_plain_ranges() -> None:
    rng = np.random.default_rng(0)
    plain = observed(rng.uniform(-1, 1, 100_000))
    spiked = observed(np.append(rng.normal(0, 1, 100_000), 100.0))
    for method in METHODS:
        low, high = clip_range(plain, method, symmetric=True)
        assert low == -high
        assert high > 0.9
    assert clip_range(spiked, "min-max", True)[1] == 100
    for method in METHODS[1:]:
        assert clip_range(spiked, method, True)[1] < 90, method


def test_asymmetric_ranges_do_not_exceed_what_was_seen() -> None:
    relu6 = observed(np.clip(np.random.default_rng(0).normal(0, 2, 100_000), 0, 6))
    for method in METHODS:
        low, high = clip_range(relu6, method, symmetric=False)
        assert low == 0
        assert 0 < high <= 6


def test_an_empty_feed_is_refused(quantizers: dict[str, Quantizer]) -> None:
    with pytest.raises(DataError, match="empty"):
        observe(quantizers["pspnet-mk"].model, FrameFeed("frame", []))
