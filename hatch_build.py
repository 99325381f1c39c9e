"""Which models a wheel holds: what `echoedge run` needs on a CPU, or all of them with ECHOEDGE_WHEEL=full.

The others come by `echoedge weights get`, which checks them against the index. A Jetson builds its engines from files
that the small wheel lacks, so its wheelhouse (`make wheelhouse`) holds the full one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SMALL = ("index.json", "*/int8.onnx", "*/int8.json", "*/*-int8.onnx", "*/*-int8.json")


class ModelsHook(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # the clone's own folder is used
            return
        models = Path(self.root, "models")
        patterns = ("**/*",) if os.environ.get("ECHOEDGE_WHEEL") == "full" else SMALL
        files = {path for pattern in patterns for path in models.glob(pattern) if path.is_file()}
        cards = {card for path in files if (card := path.with_name("README.md")).is_file()}
        build_data["force_include"] |= {str(p): f"echoedge/models/{p.relative_to(models)}" for p in files | cards}
