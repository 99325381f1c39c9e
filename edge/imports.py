"""What a failed import means: a package to install, EchoEdge's own files damaged or shadowed, or a broken package."""

from __future__ import annotations

import importlib
import traceback
from importlib.util import find_spec
from pathlib import Path

from edge.errors import EchoEdgeError, InstallationError, MissingExtraError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("edge", "train", "calib", "compile")
"""Our own, side by side in ROOT."""
EXTRAS: dict[str, tuple[str, ...]] = {
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime", "compile", "train"),
    "pydicom": ("dicom",),
    "PIL": ("dicom",),
    "mlperf_loadgen": ("loadgen",),
    "paho": ("mqtt",),
    "cuda": ("cuda",),
    "SimpleITK": ("data", "compile", "train"),
    "onnx": ("compile", "train"),
    "torch": ("train",),
    "diffusers": ("train",),
    "safetensors": ("train",),
    "onnxscript": ("train",),
    "lightning_fabric": ("train",),
    "matplotlib": ("train",),
    "scipy": ("train",),
    "tensorboard": ("train",),
    "pyuff_ustb": ("channel",),
    "tensorrt_rtx": ("rtx",),
    "torch_tensorrt": ("torch-tensorrt",),
    "cryptography": ("sign",),
}
"""Optional package, by the name it is imported by -> the extras that bring it, the smallest first."""


def check_ours(module: str) -> None:
    """Raise InstallationError where another `train`, say, stands before ours on Python's path; nothing is imported.

    A script of that name in the working folder would otherwise run in place of our package.
    """
    package = module.partition(".")[0]
    spec = find_spec(package)
    if spec is None:
        raise _damaged(f"its package `{package}` is missing")
    found = Path(next(iter(spec.submodule_search_locations or ()), spec.origin or "")).resolve()
    if found != ROOT / package:
        raise InstallationError(
            f"{found} shadows EchoEdge's package `{package}`: rename it, or run from another folder"
        )


def explained(error: ImportError, command: str, extra: str) -> EchoEdgeError:
    """The error to show for `error`, raised while `echoedge COMMAND` ran, whose packages come with `extra`."""
    package = (error.name or "").partition(".")[0]
    importer = _importer(error)
    if package in PACKAGES:
        return _damaged(str(error))
    if importer not in PACKAGES:
        return InstallationError(f"the installed package `{importer}` does not import: {error}; install it again")
    if not isinstance(error, ModuleNotFoundError):
        return InstallationError(f"the installed package `{package}` does not import: {error}; install it again")
    if package not in EXTRAS:
        return _damaged(f"the package `{package}` it needs is missing")
    chosen = extra if extra in EXTRAS[package] else EXTRAS[package][0]
    return MissingExtraError(f"`echoedge {command}`", chosen, package)


def _damaged(found: str) -> InstallationError:
    return InstallationError(f"EchoEdge's installation in {ROOT} is damaged: {found}; install EchoEdge again")


def _importer(error: ImportError) -> str:
    """The top-level package whose import statement failed; one of PACKAGES where it was ours."""
    machinery = Path(importlib.__file__).parent
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    path = next(p for p in reversed(files) if not p.name.startswith("<frozen") and machinery not in p.parents).resolve()
    if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES:
        return path.relative_to(ROOT).parts[0]
    folders = ("site-packages", "dist-packages")
    after = next((i + 1 for i, part in enumerate(path.parts) if part in folders), -1)
    return Path(path.parts[after]).stem
