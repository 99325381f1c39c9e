from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.batch.names import MAX_LETTERS, Names, safe_name
from edge.opening import SUFFIXES


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/loop.dcm", "loop"),
        ("/data/1.2.840.113", "1.2.840.113"),
        ("/data/IM 0001", "IM_0001"),
        ("a/../b/.mp4", "mp4"),
        ("x/..", "clip"),
        ("loop.mp4?pace=fast", "loop"),
        ("synth://a4c?seed=3", "a4c"),
        ("CON.mp4", "CON_"),
        ("nul", "nul_"),
        ("größe<1>|2.avi", "größe_1_2"),
        ("-rf.mp4", "rf"),
        ("x" * 300 + ".mp4", "x" * MAX_LETTERS),
    ],
)
def test_a_name_is_safe_on_every_file_system(source: str, name: str) -> None:
    assert safe_name(source) == name


def test_no_two_clips_write_one_file() -> None:
    names = Names()
    assert [
        names.of(source) for source in ("a/loop.mp4", "b/LOOP.dcm", "loop-2.mp4", "loop_best.avi", "clips.mp4")
    ] == [
        "loop",
        "LOOP-2",
        "loop-2-2",
        "loop_best-2",
        "clips-2",
    ]


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), max_size=8))
def test_whatever_sources_are_called_files_differ(sources: list[str]) -> None:
    names = Names()
    given_out = [names.of(source) for source in sources]
    files = [f"{name}{suffix}".casefold() for name in given_out for suffix in SUFFIXES]
    assert len(set(files)) == len(files)
    assert all(re.fullmatch(r"[\w.-]+", name) and not name.startswith((".", "-")) for name in given_out)
