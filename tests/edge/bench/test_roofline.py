from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bench.roofline import Ceiling, Demand, _convolution, demand_of, place

ov = pytest.importorskip("openvino")
ROOF = Ceiling({"fp32": 1e9, "int8": 4e9}, 1e9)


@pytest.mark.parametrize(
    ("demand", "precision", "least_ms", "bound"),
    [
        (Demand(1_000_000_000, 1000, 1000), "fp32", 1000, "multiply-accumulates"),
        (Demand(1_000_000_000, 1000, 1000), "int8", 250, "multiply-accumulates"),
        (Demand(1000, 200_000_000, 300_000_000), "int8", 500, "memory"),
    ],
)
def test_the_tighter_limit_binds(demand: Demand, precision: str, least_ms: float, bound: str) -> None:
    found = place("net", demand, precision, ROOF, 2.0)
    assert found.least_ms == pytest.approx(least_ms)
    assert found.bound == bound
    assert found.share == pytest.approx(least_ms / 2000)


def test_work_is_counted_by_hand(tmp_path: Path) -> None:
    import openvino.opset13 as ops

    frame = ops.parameter([1, 4, 10, 10], np.float32)
    full = ops.convolution(frame, ops.constant(np.ones((8, 4, 3, 3), np.float32)), [1, 1], [1, 1], [1, 1], [1, 1])
    depthwise = ops.group_convolution(
        full, ops.constant(np.ones((8, 1, 1, 3, 3), np.float32)), [1, 1], [1, 1], [1, 1], [1, 1]
    )
    path = tmp_path / "net.xml"
    ov.save_model(ov.Model([depthwise], [frame]), path, compress_to_fp16=False)
    found = demand_of(path, quantized=False)
    assert found.macs == 100 * 8 * 4 * 9 + 100 * 8 * 9
    assert found.weight_bytes == 4 * (8 * 4 * 9 + 8 * 9)
    assert found.activation_bytes == 4 * (100 * (8 + 4) + 100 * (8 + 8))


def test_the_int8_probe_runs_in_integers() -> None:
    request = _convolution("int8", 1).__closure__[0].cell_contents  # type: ignore[index]
    kinds = {
        op.get_friendly_name(): op.get_rt_info()["runtimePrecision"].astype(str)
        for op in request.get_compiled_model().get_runtime_model().get_ordered_ops()
        if op.get_rt_info()["layerType"].astype(str) == "Convolution"
    }
    assert set(kinds.values()) <= {"u8", "i8"}
    assert kinds
