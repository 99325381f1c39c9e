"""`echoedge weights imagenet`: the `.npz` that `--init-from` and `--imagenet` read, from a published MobileNetV2."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from edge.errors import DataError
from train.nets.imagenet import TORCHVISION_MEAN, TORCHVISION_STD
from train.nets.mobilenet_v2 import STAGES

EPSILON = 1e-5
"""Of the batch norms of both libraries."""
URL = "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth"
Layer = tuple[str, str, str, int]
"""Name of a convolution, name of its batch norm, "conv" or "dw", stride."""


def torchvision_layers() -> list[Layer]:
    """The 52 convolutions of torchvision's `mobilenet_v2` in graph order."""
    layers: list[Layer] = [("features.0.0", "features.0.1", "conv", 2)]
    number = 1
    for stage in STAGES:
        for block in range(len(stage.dilations)):
            name, at = f"features.{number}.conv", 0
            if stage.expansion != 1:
                layers.append((f"{name}.0.0", f"{name}.0.1", "conv", 1))
                at = 1
            layers.append((f"{name}.{at}.0", f"{name}.{at}.1", "dw", 1 if block else stage.stride))
            layers.append((f"{name}.{at + 1}", f"{name}.{at + 2}", "conv", 1))
            number += 1
    return [*layers, (f"features.{number}.0", f"features.{number}.1", "conv", 1)]


def timm_layers() -> list[Layer]:
    """The 52 convolutions of timm's `mobilenetv2_100` in graph order."""
    layers: list[Layer] = [("conv_stem", "bn1", "conv", 2)]
    for place, stage in enumerate(STAGES):
        for block in range(len(stage.dilations)):
            name = f"blocks.{place}.{block}"
            parts = ("conv_dw", "conv_pw") if stage.expansion == 1 else ("conv_pw", "conv_dw", "conv_pwl")
            for index, part in enumerate(parts, start=1):
                kind = "dw" if part == "conv_dw" else "conv"
                stride = stage.stride if kind == "dw" and block == 0 else 1
                layers.append((f"{name}.{part}", f"{name}.bn{index}", kind, stride))
    return [*layers, ("conv_head", "bn2", "conv", 1)]


def folded(state: Mapping[str, torch.Tensor]) -> dict[str, NDArray[np.float32]]:
    """The arrays of the `.npz` (see `train.nets.imagenet.load_imagenet`) of a state dict of torchvision or timm.

    The batch norms are folded into weights and biases, and the stem, made for (x - mean) / std of 0-1 RGB, then reads
    RGB in [-1, 1] (but for the frame's border, where zero padding means another grey). Raises DataError for a state
    dict of another network, naming what is missing.
    """
    layers = timm_layers() if "conv_stem.weight" in state else torchvision_layers()
    parts = ("weight", "bias", "running_mean", "running_var")
    needed = [f"{conv}.weight" for conv, *_ in layers] + [f"{norm}.{part}" for _, norm, *_ in layers for part in parts]
    missing = [name for name in needed if name not in state]
    if missing:
        raise DataError(
            f"this is not MobileNetV2 1.0 of torchvision or timm: it has no {missing[0]}; give the file of "
            "torchvision's mobilenet_v2 or of timm's mobilenetv2_100"
        )
    arrays: dict[str, NDArray[np.float32]] = {}
    for index, (conv, norm, kind, stride) in enumerate(layers):
        weight = state[f"{conv}.weight"].double()
        gamma, beta, mean, variance = (state[f"{norm}.{part}"].double() for part in parts)
        slope = gamma / (variance + EPSILON).sqrt()
        constant = -mean
        if index == 0:
            of, spread = (
                torch.tensor(v, dtype=torch.double)[None, :, None, None] for v in (TORCHVISION_MEAN, TORCHVISION_STD)
            )
            constant = constant + (weight * (0.5 - of) / spread).sum((1, 2, 3))
            weight = weight / (2 * spread)
        key = f"{index:02d}|{kind}|s{stride}"
        arrays[f"{key}|w"] = (weight * slope[:, None, None, None]).float().numpy()
        arrays[f"{key}|b"] = (beta + slope * constant).float().numpy()
    return arrays


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """A state dict from a .safetensors or .pth file; of a .pth only tensors are read, no code runs.

    A name such as `mobilenet_v2-7ebf99e0.pth` holds the beginning of the sha256, which is checked. Raises DataError.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        stated = re.search(r"-([0-9a-f]{8,64})\.", path.name)
        if stated and not digest.startswith(stated[1]):
            raise DataError(f"{path} has sha256 {digest[:12]}…, not the {stated[1]}… in its name; download it again")
        if path.suffix == ".safetensors":
            return load_file(path)
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, SafetensorError, UnpicklingError, RuntimeError, TypeError, ValueError, EOFError) as error:
        raise DataError(
            f"{path} is not a state dict ({str(error).splitlines()[0]}); give a .pth or .safetensors file"
        ) from error


def fetched(origin: str, folder: Path) -> Path:
    """`origin` where it is a path, else the URL's file, downloaded into `folder`. Raises DataError."""
    if not origin.startswith(("https://", "http://")):
        return Path(origin)
    target = folder / origin.rsplit("/", 1)[-1]
    try:
        with urllib.request.urlopen(origin, timeout=30) as stream:
            target.write_bytes(stream.read())
    except (URLError, OSError) as error:
        raise DataError(f"{origin} cannot be fetched ({error}); download it and give the file") from error
    return target


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge weights imagenet",
        description="Make the .npz that `train segmentation --init-from` and `train quality --imagenet` read, from "
        "torchvision's mobilenet_v2 or timm's mobilenetv2_100. Mind the terms of those weights and of ImageNet.",
        epilog="example: echoedge weights imagenet --from mobilenet_v2-7ebf99e0.pth",
    )
    p.add_argument(
        "--from", dest="origin", default=URL, metavar="FILE|URL", help=f".pth or .safetensors (default: {URL})"
    )
    p.add_argument("--out", type=Path, default=Path("mobilenet_v2.npz"))
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        arrays = folded(read_state(fetched(args.origin, Path(folder))))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_name(f".{args.out.name}.part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type, unused-ignore]
    os.replace(part, args.out)
    print(args.out)
    return 0
