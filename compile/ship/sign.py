"""`echoedge sign`: Ed25519 signatures beside every manifest of a model folder; `edge.nets.signature` checks them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import ModelError
from edge.nets.manifest import find_manifests, sha256_of
from edge.nets.signature import KEY_FILE, KEY_SETTING, PublicKey, Signature


class PrivateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a private key file: 32 bytes in hex."""

    ed25519_private: str


def new_key(folder: Path) -> tuple[Path, Path]:
    """Write private_key.json (readable by its owner alone) and trusted_key.json; the paths of both.

    Raises ModelError where a private key stands already: overwriting it would orphan what it signed.
    """
    key = Ed25519PrivateKey.generate()
    folder.mkdir(parents=True, exist_ok=True)
    private, public = folder / "private_key.json", folder / KEY_FILE
    try:
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ModelError(f"{private} exists already; move it away first, what it signed needs it") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(PrivateKey(key.private_bytes_raw().hex())))
    public.write_bytes(msgspec.json.encode(PublicKey(key.public_key().public_bytes_raw().hex())))
    return private, public


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The key in a private key file. Raises ModelError for a file that is not one."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=PrivateKey)
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(content.ed25519_private))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise ModelError(f"{path} is not a private key ({error}); make one with `echoedge sign --new-key`") from error


def signature_of(content: bytes, key: Ed25519PrivateKey) -> Signature:
    """What stands in the .sig file beside a file of this content."""
    return Signature(key.public_key().public_bytes_raw().hex(), key.sign(content).hex())


def sign_folder(folder: Path, private: Path) -> list[Path]:
    """Sign every manifest of a model folder; the paths of the signatures.

    Raises ModelError for a file that is not a key, and for an artefact that is not what its manifest says.
    """
    key = read_private_key(private)
    written = []
    for manifest, path in find_manifests(folder):
        artefact = path.with_name(manifest.file)
        if not artefact.is_file() or sha256_of(artefact) != manifest.sha256:
            raise ModelError(f"{artefact} is not the file that {path.name} describes: nothing unsound is signed")
        path.with_suffix(".sig").write_bytes(msgspec.json.encode(signature_of(path.read_bytes(), key)))
        written.append(path.with_suffix(".sig"))
    return written


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge sign",
        description="Sign a model folder's manifests, which hold their artefacts' hashes.",
        epilog=f"example: echoedge sign models/pspnet-mk --key keys/private_key.json; devices check with {KEY_SETTING}",
    )
    p.add_argument("model", type=Path, nargs="?", help="model folder")
    p.add_argument("--key", type=Path, help="private key file")
    p.add_argument("--new-key", type=Path, metavar="FOLDER", help="make a key pair there first")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    key = args.key
    if args.new_key:
        key, public = new_key(args.new_key)
        print(f"{key}: keep it secret\n{public}: give it to the devices, {KEY_SETTING} names it there")
    if args.model:
        if key is None:
            raise ModelError("signing needs --key FILE, or --new-key FOLDER to make one")
        for path in sign_folder(args.model, key):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
