"""The names inside NVIDIA's Python bindings, read from the real wheels without TensorRT's libraries or a GPU.

The wheels (1 MB each) are fetched by pip once into a cache; their extension module is imported in a process of its own
over stub libraries that gcc builds, which resolve the dozen C symbols it links against and do nothing.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NoReturn

import pytest

VERSIONS = {
    "8.6.1": ("tensorrt-bindings==8.6.1", "8"),
    "10.3.0": ("tensorrt-cu12-bindings==10.3.0", "10"),
    "11.4.0": ("tensorrt-cu13-bindings==11.4.0.106", "11"),
}
CLASSES = {
    "trt": "",
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "error": "ParserError",
    "config": "IBuilderConfig",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "cache": "ITimingCache",
    "creation": "NetworkDefinitionCreationFlag",
    "_runtime": "Runtime",
    "_engine": "ICudaEngine",
    "_context": "IExecutionContext",
}
"""Names of variables of the builder and of the runtime's backend -> classes of the bindings."""
SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
    "_ZN11nvuffparser15createUffParserEv",
    "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
    "_ZN14nvcaffeparser117createCaffeParserEv",
    "_ZN14nvcaffeparser123shutdownProtobufLibraryEv",
)
LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin", "nvparsers")
DUMP = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("tensorrt", sys.argv[1])
trt = importlib.util.module_from_spec(spec); spec.loader.exec_module(trt)
names = {"": dir(trt)}
for name in dir(trt):
    if isinstance(getattr(trt, name), type): names[name] = dir(getattr(trt, name))
print(json.dumps(names))
"""


def names_in(version: str, scratch: Path) -> dict[str, list[str]]:
    """class -> attributes ("" for the module). Without the wheel or gcc the test is skipped, in CI it fails."""
    requirement, major = VERSIONS[version]
    if sys.platform != "linux" or not shutil.which("gcc"):
        _unavailable("importing the bindings needs Linux and gcc")
    wheel = _fetched(requirement)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "wheel")
    module = next((scratch / "wheel").rglob("tensorrt.so"))
    source = scratch / "stub.c"
    source.write_text("\n".join(f"void* {symbol}(void){{return 0;}}" for symbol in SYMBOLS))
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        command = ["gcc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(scratch / name), str(source)]
        subprocess.run(command, check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(scratch)}
    done = subprocess.run(
        [sys.executable, "-c", DUMP, str(module)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names: dict[str, list[str]] = json.loads(done.stdout)
    # What the package adds in Python, such as nptype, is read from its source: importing it loads the real libraries.
    package = ast.parse(module.with_name("__init__.py").read_text())
    names[""] += [node.name for node in package.body if isinstance(node, ast.FunctionDef)]
    return names


def _fetched(requirement: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "echoedge" / "bindings"
    folder = cache / f"{requirement}-py{sys.version_info[0]}{sys.version_info[1]}"
    found = next(folder.glob("*.whl"), None)
    if found is not None:
        return found
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", requirement]
    done = subprocess.run([*command, "-d", str(folder)], capture_output=True, text=True, timeout=120)
    found = next(folder.glob("*.whl"), None)
    if found is None:
        _unavailable(f"{requirement} cannot be fetched: {(done.stderr.strip().splitlines() or ['no wheel'])[-1]}")
    return found


def _unavailable(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
