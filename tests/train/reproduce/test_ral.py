from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.cli import main
from edge.errors import DataError
from train.data.clips import clip_of
from train.ral.data import CroppedClip
from train.ral.training import load_net
from train.reproduce import ral
from train.reproduce.ral import Tables, build, mask_volume_ml, table_4
from train.reproduce.ral_rows import SCALES, TABLE_2, TABLE_3, TABLE_4

SMALLEST = replace(SCALES["smoke"], training_loops=2, held_out_loops=1, clip_frames=4)


def test_rows_are_the_papers() -> None:
    assert [row.paper[1] for row in (*TABLE_2, *TABLE_3)] == [0.919, 0.910, 0.907, 0.896, 0.911, 0.883, 0.893, 0.880]
    assert {"full", *(row.name for row in TABLE_3)} == set(TABLE_4)
    off = {part for row in TABLE_2 for part in row.without}
    assert off == {"classification", "conv_block", "temporal", "spatial"}


@pytest.mark.parametrize("row", [row for row in (*TABLE_2, *TABLE_3) if not row.why], ids=lambda row: row.name)
def test_every_row_can_be_built(row: ral.Row) -> None:
    assert sum(p.numel() for p in build(row, SCALES["cpu"]).parameters()) > 100_000


def test_the_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the rows at the smallest scale: trained, measured, written, and not trained again."""
    monkeypatch.setitem(ral.SCALES, "smoke", SMALLEST)
    rows = (TABLE_2[0], TABLE_3[1])
    monkeypatch.setattr(Tables.run, "__defaults__", (rows,))
    options = ["reproduce", "ral", "--scale", "smoke", "--out", str(tmp_path / "runs")]
    results = tmp_path / "docs" / "results.md"
    assert main([*options, "--results", str(results)]) == 0
    text = results.read_text()
    assert "| full | 0.987 |" in text
    assert "not run: its shape prior is not published" in text
    assert (tmp_path / "docs" / "figures" / "ral-cycle.png").is_file()
    stored = json.loads((tmp_path / "runs" / "rows" / "full.json").read_text())
    assert 0 <= stored["dice"][0] <= 1
    assert len(stored["cycle"]["dice"]) == ral.PHASES
    checkpoint = tmp_path / "runs" / "full" / "last.safetensors"
    assert load_net(checkpoint).size == SMALLEST.size  # it says which network it is of
    written = (tmp_path / "runs" / "rows" / "full.json").stat().st_mtime_ns
    assert main([*options, "--results", str(results)]) == 0
    assert (tmp_path / "runs" / "rows" / "full.json").stat().st_mtime_ns == written
    with pytest.raises(DataError, match="other settings"):
        Tables(tmp_path / "runs", SMALLEST, seed=1).run(rows)


def test_volumes_of_true_masks_agree_with_the_exact_contours() -> None:
    """The annotated masks, cropped as the network sees them, give EDV and ESV within a tenth or 2 ml."""
    pairs = []
    for seed in (1, 2):
        clip = clip_of(seed, None)
        cropped = CroppedClip(clip, 128)
        found = [mask_volume_ml(cropped.masks[cropped.phases.index(p)], cropped.spacing_mm) for p in ("ED", "ES")]
        assert clip.volumes_ml is not None
        for value, true in zip(found, clip.volumes_ml):
            assert value == pytest.approx(true, rel=0.1, abs=2)
        pairs.append([*found, 0.0, *clip.volumes_ml, 0.0])
    fit = table_4(pairs)
    assert fit["EDV"]["n"] == 2
    assert np.isfinite(fit["EDV"]["mae"])
    assert table_4([]) == {}
