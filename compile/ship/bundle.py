"""`echoedge bundle`: wheels and models in one signed file that `echoedge update` installs."""

from __future__ import annotations

import argparse
import io
import re
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from compile.ship.sign import read_private_key, signature_of
from edge.errors import UpdateError
from edge.nets.manifest import sha256_of
from edge.update.bundle import RELEASE, SCHEMA, SIGNATURE, Content, Release


def write_bundle(out: Path, wheels: Path, models: Path | None, private_key: Path) -> Release:
    """Write a bundle; version, Python and machine are read from the wheels' names.

    Raises UpdateError for a folder that holds no wheel of ours, ModelError for a file that is not a key.
    """
    own = sorted(wheels.glob("echoedge-*.whl"))
    if len(own) != 1:
        raise UpdateError(f"{wheels} holds {len(own)} wheels of echoedge, not one; fill it with `make wheelhouse`")
    paths = {f"wheels/{path.name}": path for path in sorted(wheels.glob("*.whl"))}
    if models is not None:
        paths |= {f"models/{p.relative_to(models)}": p for p in sorted(models.rglob("*")) if p.is_file()}
    tags = " ".join(paths)
    python = re.search(r"-cp3(\d+)-cp3\d+-", tags)
    machine = re.search(r"_(aarch64|x86_64)\.whl", tags)
    release = Release(
        schema=SCHEMA,
        version=own[0].name.split("-")[1],
        python=f"3.{python[1]}" if python else "",
        machine=machine[1] if machine else "",
        files={name: Content(sha256_of(path), path.stat().st_size) for name, path in paths.items()},
    )
    described = msgspec.json.format(msgspec.json.encode(release), indent=2)
    signature = msgspec.json.encode(signature_of(described, read_private_key(private_key)))
    part = out.with_name(out.name + ".part")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in ((RELEASE, described), (SIGNATURE, signature)):
            head = tarfile.TarInfo(name)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
        for name, path in paths.items():
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(member, file)
    part.replace(out)
    return release


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge bundle",
        description="Pack a wheelhouse, and further models, into one signed file for `echoedge update`.",
        epilog="example: echoedge bundle wheelhouse/cp310-aarch64 --key keys/private_key.json --out echoedge-cp310.tar",
    )
    p.add_argument("wheels", type=Path, help="folder that `make wheelhouse` filled")
    p.add_argument("--models", type=Path, help="folder of model folders")
    p.add_argument("--key", type=Path, required=True, help="private key file of `echoedge sign --new-key`")
    p.add_argument("--out", type=Path, required=True, help="the bundle")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    release = write_bundle(args.out, args.wheels, args.models, args.key)
    size_mb = sum(content.size for content in release.files.values()) / 1e6
    where = f"Python {release.python or 'any'}, {release.machine or 'any machine'}"
    print(f"{args.out}: version {release.version} for {where}, {len(release.files)} files, {size_mb:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
