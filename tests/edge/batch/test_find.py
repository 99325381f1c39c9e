"""Which recordings a command line stands for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import BasicTextSRStorage

from edge.batch.find import Found, find_clips, is_searched
from edge.errors import EchoEdgeError
from tests.edge.batch.loops import write_dcm, write_mp4


def names(found: Found) -> list[str]:
    return [clip.name for clip in found.clips]


def write_png(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((32, 32), np.uint8))
    return path


def write_text_report(path: Path) -> Path:
    """A structured report: DICOM without pictures."""
    data = pydicom.dcmread(write_dcm(path, count=1))
    del data.PixelData, data.Rows, data.Columns
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = BasicTextSRStorage
    data.save_as(path)
    return path


def test_a_folder_is_searched_to_its_end(tmp_path: Path) -> None:
    write_mp4(tmp_path / "loop10.mp4", count=2)
    write_mp4(tmp_path / "loop9.mp4", count=2)
    write_dcm(tmp_path / "deep" / "down" / "IM0001", count=2)
    write_png(tmp_path / "pictures" / "1.png")
    write_png(tmp_path / "pictures" / "2.png")
    write_png(tmp_path / "beside.png")
    write_text_report(tmp_path / "deep" / "report.dcm")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.mp4").write_text("x")
    found = find_clips([str(tmp_path)])
    assert names(found) == ["loop9", "loop10", "IM0001", "pictures"]
    assert [(Path(skipped.path).name, skipped.reason) for skipped in found.skipped] == [
        ("beside.png", "a picture beside recordings; give it by itself"),
        ("notes.txt", "not a video, a DICOM file or a picture"),
        ("report.dcm", "DICOM without pictures, such as a report"),
    ]


def test_a_file_that_is_given_is_never_left_out(tmp_path: Path) -> None:
    """Its row says what is wrong with it."""
    found = find_clips([str(write_text_report(tmp_path / "report.dcm")), str(tmp_path / "none.mp4")])
    assert names(found) == ["report", "none"]
    assert not found.skipped


def test_globs_files_and_folders_give_each_clip_once(tmp_path: Path) -> None:
    for name in ("b1.mp4", "b2.mp4", "c[1].mp4"):
        write_mp4(tmp_path / name, count=2)
    sources = [str(tmp_path / "b2.mp4"), str(tmp_path / "*.mp4"), str(tmp_path), str(tmp_path / "c[1].mp4")]
    assert names(find_clips(sources)) == ["b2", "b1", "c_1"]


def test_studies_stay_together_and_apart(tmp_path: Path) -> None:
    """By what the files say; where they say nothing, by what was given together or lies together."""
    for name, patient in (("1", 1), ("2", 2), ("3", 1)):
        write_dcm(tmp_path / "all" / name, patient, count=2 + patient)
    write_mp4(tmp_path / "x" / "a.mp4", count=2)
    write_mp4(tmp_path / "y" / "b.mp4", count=2)
    write_mp4(tmp_path / "y" / "c.mp4", count=2)
    found = find_clips([str(tmp_path)])
    assert [(clip.name, clip.study, clip.is_known_study) for clip in found.clips] == [
        ("1", 1, True),
        ("3", 1, True),
        ("2", 2, True),
        ("a", 3, False),
        ("b", 4, False),
        ("c", 4, False),
    ]
    assert [clip.number for clip in found.clips] == [1, 2, 3, 4, 5, 6]
    assert find_clips([str(tmp_path / "x" / "a.mp4"), str(tmp_path / "y" / "b.mp4")]).studies == 1


def test_one_study_number_of_two_patients_is_two_studies(tmp_path: Path) -> None:
    """Tools that take identifiers out may give every study the same number."""
    for name, patient in (("1.dcm", 1), ("2.dcm", 2)):
        data = pydicom.dcmread(write_dcm(tmp_path / name, patient, count=2))
        data.StudyInstanceUID = "1.2.3"
        data.save_as(tmp_path / name)
    assert find_clips([str(tmp_path)]).studies == 2


def test_a_dicomdir_says_what_there_is(tmp_path: Path) -> None:
    files = FileSet()
    for patient in (1, 2):
        loop = pydicom.dcmread(write_dcm(tmp_path / "loose" / f"{patient}.dcm", patient, count=2))
        loop.StudyDate, loop.StudyTime, loop.StudyID = "20260102", "101112", str(patient)
        files.add(loop)
    disc = tmp_path / "disc"
    files.write(disc)
    files._stage["t"].cleanup()  # else it warns when it goes
    write_mp4(disc / "not-listed.mp4", count=2)
    for source in (disc, disc / "DICOMDIR"):
        assert is_searched(str(source))
        found = find_clips([str(source)])
        assert (len(found.clips), found.studies) == (2, 2)
        assert not found.skipped
    (disc / "DICOMDIR").rename(disc / "dicomdir")
    for file in sorted(disc.rglob("*"), reverse=True):  # as a disc without long names is mounted
        file.rename(file.with_name(file.name.lower()))
    assert len(find_clips([str(disc)]).clips) == 2
    (disc / "dicomdir").rename(disc / "DICOMDIR")
    (disc / "DICOMDIR").write_bytes((disc / "DICOMDIR").read_bytes()[:420])
    assert len(find_clips([str(disc)]).clips) == 3


def test_results_are_not_taken_for_recordings(tmp_path: Path) -> None:
    loop = write_mp4(tmp_path / "loop.mp4", count=2)
    write_mp4(tmp_path / "before" / "loop.mp4", count=2)
    (tmp_path / "before" / "clips.jsonl").write_text("")
    found = find_clips([str(tmp_path)])
    assert [clip.source for clip in found.clips] == [str(loop)]
    assert [skipped.reason for skipped in found.skipped] == ["results of an earlier call"]


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://camera/stream",
        "v4l2:///dev/video0",
        "synth://a4c?frames=0",
        "{loop}?loop",
        "{loop}?pace=native",
    ],
)
def test_a_source_without_an_end_stands_alone(source: str, tmp_path: Path) -> None:
    loop = str(write_mp4(tmp_path / "loop.mp4", count=2))
    with pytest.raises(EchoEdgeError, match="has no end; give it alone"):
        find_clips([loop, source.format(loop=loop)])


def test_passwords_are_not_repeated() -> None:
    with pytest.raises(EchoEdgeError, match="no end") as raised:
        find_clips(["rtsp://me:secret@camera/stream"])
    assert "secret" not in str(raised.value)


def test_where_nothing_is_the_message_says_what_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(EchoEdgeError, match=r"nothing is called .*dcm; check the folder"):
        find_clips([str(tmp_path / "*.dcm")])
    with pytest.raises(EchoEdgeError, match=r"no recording was found in .*: no file is there"):
        find_clips([str(tmp_path)])
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(EchoEdgeError, match=r"; left out: .*a.txt: not a video"):
        find_clips([str(tmp_path)])


@pytest.mark.parametrize(
    ("source", "searched"),
    [
        ("pictures", False),
        ("videos", True),
        ("videos/a.mp4", False),
        ("videos/*.mp4", True),
        ("videos/none.mp4", False),
        ("brackets[1].mp4?loop", False),
    ],
)
def test_what_is_one_recording_as_ever(source: str, searched: bool, tmp_path: Path) -> None:
    write_png(tmp_path / "pictures" / "1.png")
    write_mp4(tmp_path / "videos" / "a.mp4", count=2)
    write_mp4(tmp_path / "brackets[1].mp4", count=2)
    assert is_searched(str(tmp_path / source)) is searched
    assert not is_searched("rtsp://camera/*")
