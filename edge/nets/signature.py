"""Ed25519 signatures of manifests, checked before an artefact is loaded.

A manifest holds its artefact's sha256, so its signature covers both. It stands beside it as NAME.sig: JSON with the
signer's public key and the signature, both in hex. Trust comes from outside the model's own folder: the file that
ECHOEDGE_TRUSTED_KEY names, or trusted_key.json in the folder that holds the model folders.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from edge.errors import MissingExtraError, ModelError

KEY_SETTING, REQUIRE_SETTING = "ECHOEDGE_TRUSTED_KEY", "ECHOEDGE_REQUIRE_SIGNATURE"
KEY_FILE = "trusted_key.json"


class PublicKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a public key file: 32 bytes in hex."""

    ed25519: str


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a .sig file: the signer's public key (32 bytes) and the signature (64 bytes), in hex."""

    ed25519: str
    signature: str


def trusted_key(manifest_path: Path) -> str | None:
    """The public key (hex) that signatures are checked against, or None where none is configured.

    Raises ModelError for a key file that is missing or malformed.
    """
    named = os.environ.get(KEY_SETTING)
    path = Path(named) if named else manifest_path.parent.parent / KEY_FILE
    if not named and not path.is_file():
        return None
    return read_key(path)


def read_key(path: Path) -> str:
    """The public key (hex) in a file. Raises ModelError for one that is missing or malformed."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=PublicKey).ed25519
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(
            f'{path} is not a public key ({error}); it must hold {{"ed25519": "<64 hex digits>"}}, as '
            "`echoedge sign --new-key` writes"
        ) from error


def verify_signature(manifest_path: Path) -> None:
    """Check a manifest's signature against the trusted key.

    Without a key nothing is checked and without a signature nothing is refused, unless ECHOEDGE_REQUIRE_SIGNATURE=1.
    Raises ModelError for a signature by another key, of other bytes, or one that is missing though required.
    """
    required = os.environ.get(REQUIRE_SETTING, "") not in ("", "0")
    key = trusted_key(manifest_path)
    if key is None:
        if required:
            raise ModelError(
                f"{REQUIRE_SETTING} is set but no trusted key is: let {KEY_SETTING} name a public key file"
            )
        return
    if not manifest_path.with_suffix(".sig").is_file() and not required:
        return
    verify_file(manifest_path, key)


def verify_file(path: Path, key: str) -> None:
    """Check a file against the signature beside it and a public key (hex).

    Raises ModelError for a signature by another key, of other bytes, or one that is missing.
    """
    beside = path.with_suffix(".sig")
    if not beside.is_file():
        raise ModelError(f"{path} is not signed; sign its folder with `echoedge sign`, or fetch it again")
    try:
        found = msgspec.json.decode(beside.read_bytes(), type=Signature)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"{beside} is not a signature ({error}); sign the folder again with `echoedge sign`"
        ) from error
    if found.ed25519 != key:
        raise ModelError(
            f"{path} is signed by the key {found.ed25519[:16]}…, not by the trusted one {key[:16]}…; "
            f"fetch it from its publisher, or let {KEY_SETTING} name that publisher's key"
        )
    _verify(key, found.signature, path)


def _verify(key: str, signature: str, path: Path) -> None:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ModuleNotFoundError as error:
        raise MissingExtraError("checking a model's signature", "sign") from error
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), path.read_bytes())
    except (InvalidSignature, ValueError) as error:
        raise ModelError(
            f"{path} does not match its signature: it was changed after signing; fetch it again"
        ) from error
