from __future__ import annotations

import io
import json
import platform
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from compile.ship.bundle import write_bundle
from compile.ship.sign import read_private_key, signature_of
from edge.errors import EchoEdgeError, UpdateError
from edge.nets.signature import read_key
from edge.update.bundle import SCHEMA, Content, Release, check_fits, numbers_of, unpack
from tests.edge.update.shop import keys, make_bundle, write_wheel

Members = list[tuple[str, bytes]]


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, str, Path]:
    """(bundle of version 2.0, key, private key file)."""
    private, public = keys(tmp_path)
    return make_bundle(tmp_path, "2.0", private), read_key(public), private


def rewrite(bundle: Path, change: Callable[[Members], Members]) -> None:
    """Change a bundle's members without the private key."""
    with tarfile.open(bundle) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    with tarfile.open(bundle, "w") as tar:
        for name, content in change(members):
            head = tarfile.TarInfo(name)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))


def test_what_was_packed_comes_out(tmp_path: Path, signed: tuple[Path, str, Path]) -> None:
    bundle, key, _ = signed
    release = unpack(bundle, tmp_path / "out", key)
    assert (release.version, release.python, release.machine) == ("2.0", "", "")
    (wheel,) = (tmp_path / "out/wheels").glob("*.whl")
    assert wheel.read_bytes() == (tmp_path / f"wheels-2.0/{wheel.name}").read_bytes()


def test_models_come_along_and_tags_are_read(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    write_wheel(tmp_path / "wheels", "3.1")
    (tmp_path / "wheels/numpy-2.2.6-cp310-cp310-manylinux_2_17_aarch64.whl").write_bytes(b"wheel")
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "models/mine/int8.onnx").write_bytes(b"onnx")
    release = write_bundle(tmp_path / "b.tar", tmp_path / "wheels", tmp_path / "models", private)
    assert (release.python, release.machine) == ("3.10", "aarch64")
    unpack(tmp_path / "b.tar", tmp_path / "out", read_key(public))
    assert (tmp_path / "out/models/mine/int8.onnx").read_bytes() == b"onnx"


def flip(name: str) -> Callable[[Members], Members]:
    return lambda members: [(n, c[:-9] + bytes([c[-9] ^ 1]) + c[-8:] if name in n else c) for n, c in members]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (flip("release.json"), "changed after signing"),
        (flip("release.sig"), "does not match its signature|is no signature"),
        (flip(".whl"), "is damaged"),
        (lambda members: members[:2], "lacks wheels/"),
        (lambda members: [members[0], *members[2:]], "does not begin with"),
        (lambda members: [*members, ("wheels/more.whl", b"")], "does not name"),
        (lambda members: [*members, members[-1]], "does not name"),
        (lambda members: [], "does not begin with"),
        (lambda members: [*members[:2], (members[2][0], members[2][1] + b"x")], "is damaged"),
    ],
)
def test_a_changed_bundle_is_refused(
    tmp_path: Path, signed: tuple[Path, str, Path], change: Callable[[Members], Members], says: str
) -> None:
    bundle, key, _ = signed
    rewrite(bundle, change)
    with pytest.raises(EchoEdgeError, match=says):
        unpack(bundle, tmp_path / "out", key)


def test_another_publishers_bundle_is_refused_before_anything_is_unpacked(
    tmp_path: Path, signed: tuple[Path, str, Path]
) -> None:
    _, other = keys(tmp_path / "other")
    with pytest.raises(EchoEdgeError, match="not by the trusted one"):
        unpack(signed[0], tmp_path / "out", read_key(other))
    assert not (tmp_path / "out/wheels").exists()


def test_a_file_that_is_cut_off_or_no_tar(tmp_path: Path, signed: tuple[Path, str, Path]) -> None:
    bundle, key, _ = signed
    bundle.write_bytes(bundle.read_bytes()[:4000])
    with pytest.raises(UpdateError, match=r"fetch it again|cut off"):
        unpack(bundle, tmp_path / "out", key)
    bundle.write_bytes(b"no tar" * 1000)
    with pytest.raises(UpdateError, match="is not a bundle"):
        unpack(bundle, tmp_path / "out2", key)
    with pytest.raises(UpdateError, match="cannot read"):
        unpack(tmp_path / "absent.tar", tmp_path / "out3", key)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "wheels/../../x", "venv/bin/python"])
def test_a_signed_bundle_cannot_write_elsewhere(tmp_path: Path, signed: tuple[Path, str, Path], name: str) -> None:
    bundle, key, private = signed
    release = Release(schema=SCHEMA, version="2.0", python="", machine="", files={name: Content("0" * 64, 0)})
    described = json.dumps({f: getattr(release, f) for f in release.__struct_fields__ if f != "files"})
    described = described[:-1] + f', "files": {{{json.dumps(name)}: {{"sha256": "{"0" * 64}", "size": 0}}}}}}'
    signature = signature_of(described.encode(), read_private_key(private))
    sidecar = json.dumps({"ed25519": signature.ed25519, "signature": signature.signature}).encode()
    rewrite(bundle, lambda _: [("release.json", described.encode()), ("release.sig", sidecar), (name, b"")])
    with pytest.raises(UpdateError, match=r"outside wheels/ and models/"):
        unpack(bundle, tmp_path / "deep/out", key)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"python": "3.8"}, "is for Python 3.8"),
        ({"machine": "riscv64"}, "is for riscv64"),
        ({"version": "0.9"}, "older than 1.10"),
        ({"version": "1.9"}, "older than 1.10"),
        ({"version": "new"}, "is not a version"),
    ],
)
def test_a_bundle_for_another_device_or_an_older_one(changes: dict[str, str], says: str) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    facts = {"version": "1.10.1", "python": here, "machine": platform.machine(), **changes}
    release = Release(schema=SCHEMA, files={}, **facts)
    with pytest.raises(UpdateError, match=says):
        check_fits(release, "1.10")


def test_the_same_device_and_a_newer_version_fit() -> None:
    check_fits(Release(schema=SCHEMA, version="1.10", python="", machine="", files={}), "1.9.9")
    check_fits(Release(schema=SCHEMA, version="1.0", python="", machine="", files={}), "2.0", allow_older=True)
    assert numbers_of("0.10.2.dev1") == (0, 10, 2)


def test_a_folder_without_our_wheel_makes_no_bundle(tmp_path: Path) -> None:
    private, _ = keys(tmp_path)
    with pytest.raises(UpdateError, match="0 wheels of echoedge"):
        write_bundle(tmp_path / "b.tar", tmp_path, None, private)
