"""Fetch a published model file by file, each checked before it takes its place."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.error import URLError
from urllib.parse import quote

from edge.errors import ModelError
from edge.nets.manifest import sha256_of
from edge.nets.shelf import FileFacts

BLOCK = 1 << 20
TIMEOUT_S = 30.0
SCHEMES = ("https://", "http://")


def fetch_model(
    name: str, files: dict[str, FileFacts], origins: list[str], folder: Path, say: Callable[[str, int], None]
) -> int:
    """Bring a model's files into `folder`; the bytes that came from the last origin.

    origins: folders or URLs that hold `name`/FILE, tried in this order; a folder that lacks a file or holds another is
    passed over but for the last. Files that are here already stay. Manifests come last, so that none describes a file
    that is still missing. Calls `say` with each file and its size. Raises ModelError where a file cannot be had or is
    not the published one.
    """
    came = 0
    for file in sorted(files, key=lambda file: (file.endswith(".json"), file)):
        target, facts = folder / file, files[file]
        say(file, facts.bytes)
        if target.is_file() and sha256_of(target) == facts.sha256:
            continue
        local = [Path(origin, name, file) for origin in origins[:-1]]
        near = next((path for path in local if path.is_file() and sha256_of(path) == facts.sha256), None)
        _install(near or _at(origins[-1], name, file), facts, target)
        came += 0 if near else facts.bytes
    return came


def _at(origin: str, name: str, file: str) -> str | Path:
    if origin.startswith(SCHEMES):
        return f"{origin.rstrip('/')}/{quote(name)}/{quote(file)}"
    return Path(origin, name, file)


def _install(source: str | Path, facts: FileFacts, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _opened(source) as stream, part.open("wb") as file:
            while size <= facts.bytes and (block := stream.read(BLOCK)):
                digest.update(block)
                size += len(block)
                file.write(block)
        if digest.hexdigest() != facts.sha256:
            raise ModelError(
                f"{source} is not the published file: it has sha256 {digest.hexdigest()[:12]}… where "
                f"{facts.sha256[:12]}… was expected; fetch from another place, or one of this version"
            )
        os.replace(part, target)
    except (URLError, OSError) as error:
        raise ModelError(f"{source} cannot be fetched to {target} ({error}); give another place by --from") from error
    finally:
        part.unlink(missing_ok=True)


def _opened(source: str | Path) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, Path):
        return source.open("rb")
    return cast(AbstractContextManager[BinaryIO], urllib.request.urlopen(source, timeout=TIMEOUT_S))
