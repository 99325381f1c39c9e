"""What the shipped quality network's trunk says of a picture: the view head's input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from train.view.data import Labelled

FINE, COARSE = "add_7", "add_9"
"""Tensors of the quality network's graph after its stages of 96 and of 160 channels."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Of N pictures: `fine` N x 96 x 16 x 16 and `coarse` N x 160 x 8 x 8 float16; `labels` N x 3 int64 (plane,
    mirrored, upside down, the last two -1 where unknown)."""

    fine: NDArray[np.float16]
    coarse: NDArray[np.float16]
    labels: NDArray[np.int64]


class Trunk:
    """The trunk of a quality model's ONNX file, in the precision that file has."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        made = {output for node in model.graph.node for output in node.output}
        self._names = [next(n for n in (f"{t}_DequantizeLinear_Output", t) if n in made) for t in (FINE, COARSE)]
        have = {value.name for value in model.graph.output}
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in self._names
            if name not in have
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one small picture at a time: a second thread spends its time waiting
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """(fine, coarse) of a 256 x 256 uint8 picture."""
        fine, coarse = self._session.run(self._names, {"frame": picture[None, None]})
        return fine[0].astype(np.float16), coarse[0].astype(np.float16)

    def of(self, items: Iterable[Labelled]) -> Features:
        """The features of all items, in order."""
        rows = [(*self(item.picture), (item.plane, item.mirrored, item.upside_down)) for item in items]
        fine, coarse, labels = (np.stack([np.asarray(row[k]) for row in rows]) for k in range(3))
        return Features(fine=fine, coarse=coarse, labels=labels.astype(np.int64))
