"""Files of outputs: who may write them, what is there when a run breaks off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.errors import EchoEdgeError
from edge.sinks.files import GrowingFile, PartFile
from edge.sinks.fragments import drop_half_fragment


def test_a_new_file_grows_under_its_own_name(tmp_path: Path) -> None:
    file = GrowingFile(tmp_path / "deep/x.mp4")
    assert file.part == file.path
    file.part.write_bytes(b"some")
    file.settle(True)
    assert file.path.read_bytes() == b"some"


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"yesterday")
    broken = GrowingFile(path)
    assert broken.part == tmp_path / "x.part.mp4"
    broken.part.write_bytes(b"half")
    broken.settle(True, is_whole=False)
    assert (path.read_bytes(), broken.part.read_bytes()) == (b"yesterday", b"half")
    empty = GrowingFile(path)
    empty.settle(False)
    assert sorted(tmp_path.iterdir()) == [path]
    whole = GrowingFile(path)
    whole.part.write_bytes(b"today")
    whole.settle(True)
    assert path.read_bytes() == b"today"
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exists", [False, True])
def test_one_run_alone_writes_a_file(exists: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    if exists:
        path.write_bytes(b"yesterday")
    first = GrowingFile(path)
    first.part.write_bytes(b"first")
    with pytest.raises(EchoEdgeError, match=r"another run is writing .*x\..*; give another folder or name"):
        GrowingFile(path)
    assert first.part.read_bytes() == b"first"
    first.settle(True)
    GrowingFile(path).settle(False)


@pytest.mark.parametrize("kind", [GrowingFile, PartFile])
def test_a_folder_that_cannot_be_made_is_named(kind: type, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", Path("/proc/none/such")):
        with pytest.raises(EchoEdgeError, match=f"cannot make the folder {folder}"):
            kind(folder / "x.png")


def box(kind: bytes, size: int) -> bytes:
    return size.to_bytes(4, "big") + kind + os.urandom(size - 8)


def test_half_a_fragment_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    whole = box(b"ftyp", 24) + box(b"moov", 100) + box(b"moof", 40) + box(b"mdat", 500)
    for rest in (b"", box(b"moof", 40), box(b"moof", 40) + box(b"mdat", 500)[:-1], b"abc"):
        path.write_bytes(whole + rest)
        drop_half_fragment(path)
        assert path.read_bytes() == whole
