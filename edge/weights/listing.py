"""Make the list of published files: `python -m edge.weights.listing models`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from edge.nets.manifest import sha256_of
from edge.nets.shelf import INDEX, FileFacts, Index


def index_of(models: Path, url: str = "") -> Index:
    """Every file of every model folder below `models`, with its size and sha256."""
    folders = sorted(path for path in models.iterdir() if path.is_dir())
    return Index(
        url=url,
        models={
            folder.name: {
                path.relative_to(folder).as_posix(): FileFacts(path.stat().st_size, sha256_of(path))
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            for folder in folders
        },
    )


def encoded(index: Index) -> bytes:
    """As it stands in the file."""
    return msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / INDEX).write_bytes(encoded(index_of(folder, *sys.argv[2:3])))
