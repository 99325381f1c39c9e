"""Files into a model folder: all of them, or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from compile.graphs import Graphs, file_of
from edge.nets.artefacts import Found
from edge.nets.manifest import write_manifest


def install(models: Sequence[Graphs], folder: Path) -> list[dict[str, Found]]:
    """Move artefacts from a scratch folder on the same disk into a model folder, with their manifests; their places.

    Signatures of what stood there before are removed. Where a file cannot be moved, what stood there is put back and
    the OSError is raised. Artefacts go before manifests, so at no moment does a manifest stand without its file.
    """
    artefacts = [artefact for graphs in models for artefact in graphs.values()]
    for manifest, path in artefacts:
        write_manifest(manifest, path)
    staged = [file_of(artefact) for artefact in artefacts] + [path for _, path in artefacts]
    signatures = [folder / path.with_suffix(".sig").name for _, path in artefacts]
    targets = [folder / file.name for file in staged]
    with tempfile.TemporaryDirectory(dir=folder) as before:
        kept = [path for path in (*targets, *signatures) if path.is_file()]
        for path in kept:
            shutil.copy2(path, Path(before) / path.name)
        moved: list[Path] = []
        try:
            for file, target in zip(staged, targets):
                os.replace(file, target)
                moved.append(target)
            for signature in signatures:
                signature.unlink(missing_ok=True)
        except BaseException:
            for target in moved:
                target.unlink()
            for path in kept:
                os.replace(Path(before) / path.name, path)
            raise
    return [{task: (m, folder / path.name) for task, (m, path) in graphs.items()} for graphs in models]
