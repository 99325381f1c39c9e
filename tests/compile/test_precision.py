from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from calib.feed import FrameFeed, TimestepFeed, spread
from compile.calibration import feed_of
from compile.precision import FORMS, Quantizer, fp16_from_onnx, int8_from_onnx
from compile.ranges import BINS, METHODS, Observed, clip_range, observe
from compile.score import disagreement
from compile.sensitivity import compare_methods, rank_layers
from edge.errors import DataError, ModelError
from edge.nets.manifest import read_manifest
from tests.compile.conftest import frames_of


def run(path: Path, frames: list[np.ndarray], integers: bool = True) -> list[np.ndarray]:
    """Without `integers`, Q/DQ pairs round and the layers between them compute in float, as exact as a GPU's 32 bits."""
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
    source = folders["pspnet-mk"] / "fp32.onnx"
    runs = [{"frame": frame} for frame in frames_of(89)[:2]]
    ranked = rank_layers(quantizer, source, runs, "cpu", "min-max", "onnxruntime")
    assert set(ranked) == set(quantizer.layers)
    assert list(ranked.values()) == sorted(ranked.values(), reverse=True)


def test_fp16_keeps_the_types_of_inputs_and_outputs(folders: dict[str, Path], tmp_path: Path) -> None:
    fp16_from_onnx(folders["quality"] / "fp32.onnx", tmp_path / "h.onnx")
    model = onnx.load(tmp_path / "h.onnx")
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    assert model.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    frames = frames_of(256)
    assert disagreement(run(tmp_path / "h.onnx", frames), run(folders["quality"] / "fp32.onnx", frames)) < 0.01


def test_one_call_quantises(folders: dict[str, Path], tmp_path: Path) -> None:
    int8_from_onnx(folders["pspnet-mk"] / "fp32.onnx", tmp_path / "q.onnx", FrameFeed("frame", frames_of(89)))
    assert run(tmp_path / "q.onnx", frames_of(89))[0].shape == (1, 89, 89)


def write_denoiser(path: Path) -> None:
    """A noised state and a timestep in, noise out: the convolution's input grows with t, as a denoiser's activations
    do.
    """
    rng = np.random.default_rng(0)
    weights = numpy_helper.from_array(rng.normal(0, 0.2, (4, 1, 3, 3)).astype(np.float32), "weights")
    nodes = [
        helper.make_node("Mul", ["x_t", "t"], ["scaled"], "scale"),
        helper.make_node("Conv", ["scaled", "weights"], ["noise"], "conv", pads=[1, 1, 1, 1]),
    ]
    ports = [("x_t", (1, 1, 16, 16)), ("t", (1, 1, 1, 1)), ("noise", (1, 4, 16, 16))]
    *inputs, output = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ports)
    graph = helper.make_graph(nodes, "denoiser", inputs, [output], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def denoiser_feed(timesteps: list[int]) -> TimestepFeed:
    def inputs_at(frame: np.ndarray, t: int, index: int) -> dict[str, np.ndarray]:
        noise = np.random.default_rng([index, t]).normal(0, 1, frame.shape)
        return {"x_t": noise.astype(np.float32), "t": np.full((1, 1, 1, 1), t, np.float32)}

    return TimestepFeed(frames_of(16, 2), timesteps, inputs_at)


def test_a_network_with_a_timestep_is_calibrated_over_all_of_them(tmp_path: Path) -> None:
    source = tmp_path / "denoiser.onnx"
    write_denoiser(source)
    whole, early = (Quantizer(source, denoiser_feed(timesteps)) for timesteps in ([1, 5, 10], [1]))
    assert whole.observed["scaled"].high > 5 * early.observed["scaled"].high
    probes = spread(denoiser_feed([10]), 2)
    errors = [compare_methods(q, source, probes, "cpu", "onnxruntime", ["min-max"])["min-max"] for q in (whole, early)]
    assert errors[0] < 0.1 * errors[1]  # at t = 10, what was seen at t = 1 alone clips nearly everything


def test_a_task_that_nobody_feeds_is_refused_by_name(folders: dict[str, Path]) -> None:
    path = folders["quality"] / "fp32.onnx"
    manifest = read_manifest(path.with_suffix(".json"))
    assert list(feed_of(manifest, path, frames_of(256, 2)))[1]["frame"].shape == (1, 1, 256, 256)
    with pytest.raises(ModelError, match=r"takes frame for 'refinement': calibration feeds segmentation and quality"):
        feed_of(msgspec.structs.replace(manifest, task="refinement"), path, [])


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
