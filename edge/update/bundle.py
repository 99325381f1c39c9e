"""A release bundle: one tar file that begins with release.json and its Ed25519 signature, then the files that it names.

    release.json         version, Python, machine, sha256 and size of every other file
    release.sig          as beside a model's manifest: signer's public key and signature, in hex
    wheels/*.whl         ours and every dependency
    models/…             model folders beside those in our wheel (optional)

The tar is not compressed: wheels are. Nothing is unpacked before the signature holds, and nothing that release.json
does not name.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from edge.errors import UpdateError
from edge.nets.signature import verify_file

SCHEMA = 1
RELEASE, SIGNATURE = "release.json", "release.sig"
BLOCK = 1 << 20
HEAD_LIMIT = 16 << 20
"""release.json and its signature are read into memory before anything is known about them."""


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a bundle."""

    sha256: str
    size: int


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a bundle holds and where it runs: `python` as "3.10", `machine` as "aarch64", or "" for any."""

    schema: int
    version: str
    python: str
    machine: str
    files: dict[str, Content]


def numbers_of(version: str) -> tuple[int, ...]:
    """ "0.10.2" to (0, 10, 2), for comparing. Raises UpdateError for anything that does not begin with numbers."""
    found = re.match(r"\d+(\.\d+)*", version)
    if found is None:
        raise UpdateError(f"'{version}' is not a version; it must begin like 1.2.3")
    return tuple(int(n) for n in found[0].split("."))


def read_release(folder: Path, key: str) -> Release:
    """The release.json in a folder, its signature checked against a public key (hex).

    Raises ModelError for a signature that is missing or wrong, UpdateError for a release this version cannot read.
    """
    path = folder / RELEASE
    verify_file(path, key)
    try:
        release = msgspec.json.decode(path.read_bytes(), type=Release)
    except msgspec.MsgspecError as error:
        raise UpdateError(
            f"the bundle's {RELEASE} cannot be read ({error}); it was made for another version"
        ) from error
    if release.schema != SCHEMA:
        raise UpdateError(f"the bundle has schema {release.schema}, this version reads {SCHEMA}; update in two steps")
    for name in release.files:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or parts.parts[0] not in ("wheels", "models") or "\\" in name:
            raise UpdateError(f"the bundle names the file '{name}', outside wheels/ and models/; it is refused whole")
    return release


def check_fits(release: Release, installed: str, allow_older: bool = False) -> None:
    """Raise UpdateError where a release is not for this machine and Python, or is older than the installed version."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if release.python not in ("", here):
        raise UpdateError(
            f"the bundle is for Python {release.python}, this device has {here}; fetch the one for {here}"
        )
    if release.machine not in ("", platform.machine()):
        raise UpdateError(f"the bundle is for {release.machine}, this device is {platform.machine()}")
    if not allow_older and numbers_of(release.version) < numbers_of(installed):
        raise UpdateError(
            f"the bundle has version {release.version}, older than {installed}, which is installed; "
            "--allow-older installs it anyway"
        )


def unpack(bundle: Path, folder: Path, key: str) -> Release:
    """Write a bundle's files into an empty folder, each checked while it is written.

    Raises UpdateError for a bundle that is damaged, incomplete, or that holds what it does not name, ModelError for
    one that the key did not sign.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(bundle, "r:") as tar:
            members = iter(tar)
            for name in (RELEASE, SIGNATURE):
                _unpack_head(tar, next(members, None), name, folder)
            release = read_release(folder, key)
            missing = set(release.files)
            for member in members:
                if member.name not in missing or not member.isfile():
                    raise UpdateError(f"the bundle holds '{member.name}', which its {RELEASE} does not name")
                missing.remove(member.name)
                content = tar.extractfile(member)
                assert content is not None  # a file, see above
                _unpack_file(content, folder / member.name, release.files[member.name])
    except OSError as error:
        raise UpdateError(f"cannot read {bundle}: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise UpdateError(f"{bundle} is not a bundle, or was cut off ({error}); fetch it again") from error
    if missing:
        raise UpdateError(f"{bundle} lacks {min(missing)}, which its {RELEASE} names; fetch it again")
    return release


def _unpack_head(tar: tarfile.TarFile, member: tarfile.TarInfo | None, name: str, folder: Path) -> None:
    if member is None or member.name != name or not member.isfile() or member.size > HEAD_LIMIT:
        raise UpdateError(f"the bundle does not begin with {RELEASE} and {SIGNATURE}; make it with `echoedge bundle`")
    content = tar.extractfile(member)
    assert content is not None  # a file, see above
    (folder / name).write_bytes(content.read())


def _unpack_file(content: IO[bytes], target: Path, expected: Content) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        while block := content.read(BLOCK):
            size += len(block)
            if size > expected.size:
                break
            digest.update(block)
            file.write(block)
    if size != expected.size or digest.hexdigest() != expected.sha256:
        raise UpdateError(
            f"{target.name} in the bundle is damaged: its sha256 or size is not the signed one; fetch it again"
        )
