from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.cli import main
from edge.errors import DataError
from tests.train.small import samples, write_camus
from train.nets import SEGMENTATION_NETS
from train.reproduce import pspnet_table1
from train.reproduce.pspnet_rows import FIGURE_ROWS, FIGURES, ROWS, SCALES
from train.reproduce.pspnet_table1 import Table, choose_frames, measure, parser, time_nets
from train.results import replace_section


def test_the_table_has_the_papers_rows() -> None:
    assert len(ROWS) == 18
    assert {(row.net, row.init) for row in ROWS} == {(n, i) for n in SEGMENTATION_NETS for i in ("random", "T", "Q")}
    best = max(ROWS, key=lambda row: row.paper[0] if row.paper else 0)
    assert (best.name, best.paper) == ("PSPNet_MK_T", (0.84, 4.51, 0.86, 19.4))
    names = {row.name for row in (*ROWS, *FIGURE_ROWS)}
    assert {name for row_names in FIGURES.values() for name in row_names} <= names
    assert all(row.paper is None for row in FIGURE_ROWS)


@pytest.fixture(scope="module")
def camus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("camus")
    write_camus(root, 6)
    return root


def table(camus: Path, out: Path, *options: str) -> Table:
    args = parser().parse_args(["--data", f"camus:{camus}", "--scale", "smoke", "--out", str(out), *options])
    scale = replace(SCALES["smoke"], training_frames=8, pretrain_data=f"camus:{camus}")
    return Table(args, scale)


SOME = tuple(row for row in ROWS if row.name in ("PSPNet_M", "PSPNet_M_T", "PSPNet_M_Q", "PSPNet_R_Q", "Unet_Q"))


def test_rows_are_kept_when_a_run_is_killed(
    camus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, results = tmp_path / "runs", tmp_path / "docs" / "results.md"

    def killed(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    by = {row.name: row for row in SOME}
    table(camus, out).run_row(by["PSPNet_M"])
    with monkeypatch.context() as patch:
        patch.setattr(pspnet_table1, "measure", killed)
        with pytest.raises(KeyboardInterrupt):
            table(camus, out).run_row(by["PSPNet_M_T"])
    kept = {p: p.read_text() for p in (out / "rows").iterdir()}
    assert [p.name for p in kept] == ["PSPNet_M.json"]

    made = table(camus, out)
    rows = made.run(SOME)
    assert all(p.read_text() == text for p, text in kept.items())
    by_name = {row["name"]: row for row in rows}
    assert by_name["PSPNet_M_Q"]["not_run"] == "no ImageNet weights here"
    assert "U-Net's own encoder" in by_name["Unet_Q"]["not_run"]
    done = by_name["PSPNet_M_T"]
    assert done["image_s"] > 0
    assert len(done["history"]) == done["epochs"] == 1
    assert json.loads((out / "seconds.json").read_text())["median_s"].keys() == {"PSPNet_M", "PSPNet_M_T"}

    pytest.importorskip("matplotlib")
    pspnet_table1.write_report(results, "smoke", made.settings, rows)
    text = results.read_text()
    assert "| PSPNet_M_Q | 0.81 | not run: no ImageNet weights here | 4.59 |" in text
    assert "| VGG | 0.77 | not run: left out |" in text
    assert "nan" not in text
    assert str(tmp_path) not in text
    for figure in ("pspnet-table1.png", "pspnet-convergence.png"):
        assert (results.parent / "figures" / figure).stat().st_size > 5000


def test_rows_of_other_settings_are_refused(camus: Path, tmp_path: Path) -> None:
    quick = ROWS[2]
    table(camus, tmp_path).run_row(quick)
    with pytest.raises(DataError, match="other settings"):
        table(camus, tmp_path, "--seed", "1").run_row(quick)


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "pspnet-table1", "--data", "camus:/absent"]) == 2
    assert main(["reproduce", "pspnet-table1", "--data", "camus:/absent", "--weights", "alexnet=x"]) == 2
    assert "alexnet=x is not NET=FILE" in capsys.readouterr().err
    assert main(["reproduce", "pspnet-table1", "--data", "camus:/absent", "--leave-out", "PSPNet_X"]) == 2
    assert "PSPNet_X is not a row; the rows are VGG," in capsys.readouterr().err
    assert main(["reproduce", "table9"]) == 2
    assert main(["reproduce", "--help"]) == 0
    assert "pspnet-table1" in capsys.readouterr().out


def test_frames_are_drawn_by_whole_patients() -> None:
    drawn = choose_frames(samples(8), 6, seed=0)
    assert len(drawn) == 6
    assert len({s.patient for s in drawn}) == 3
    assert {s.source for s in drawn} == {s.source for s in choose_frames(samples(8)[::-1], 6, seed=0)}
    assert {s.patient for s in choose_frames(samples(8), 6, seed=1)} != {s.patient for s in drawn}
    assert len(choose_frames(samples(2), None, seed=0)) == 4


def test_measured_distances_are_in_mm_and_in_px_at_473() -> None:
    class Shifted(torch.nn.Module):
        """Finds the LV's grey level, four pixels too low."""

        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            lv = (torch.roll(x, 4, 2) > 0).float()
            return torch.cat([1 - lv, lv], 1)

    square = np.zeros((89, 89), np.uint8)
    square[30:50, 30:50] = 1
    speckle = np.random.default_rng(0).integers(40, 100, square.shape)
    image = np.where(square > 0, 255, speckle).astype(np.uint8)
    sample = replace(samples(1)[0], image=image, mask=square, spacing_mm=(0.5, 0.5))
    found = measure(Shifted(), [sample], 89, 2)
    assert found["hd_mm"] == pytest.approx(2.0)
    assert found["hd_px"] == pytest.approx(4 * 473 / 89)
    assert found["dice"] == pytest.approx(0.8)
    lv, background = 320 / 480, (89**2 - 480) / (89**2 - 320)
    assert found["miou"] == pytest.approx((lv + background) / 2)
    assert found["missed"] == 0


def test_a_network_that_finds_nothing_is_counted() -> None:
    class Nothing(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x * 0 + 1, x * 0], 1)

    found = measure(Nothing(1, 1), samples(1), 89, 2)
    assert found["missed"] == 2
    assert found["dice"] == 0
    assert np.isnan(found["hd_mm"])


def test_times_come_from_every_network() -> None:
    nets = {name: SEGMENTATION_NETS["pspnet-m"](2, 89).eval() for name in ("a", "b")}
    assert set(time_nets(nets, 89, rounds=2)) == {"a", "b"}


def test_a_section_is_replaced_and_the_rest_is_left(tmp_path: Path) -> None:
    path = tmp_path / "results.md"
    replace_section(path, "one", "first")
    replace_section(path, "two", "second")
    path.write_text(path.read_text() + "\nby hand\n")
    replace_section(path, "one", "changed")
    text = path.read_text()
    assert "<!-- one begin -->\nchanged\n<!-- one end -->" in text
    assert "second" in text
    assert "first" not in text
    assert text.endswith("by hand\n")
    path.write_text(text.replace("<!-- two end -->", ""))
    with pytest.raises(DataError, match="without the other"):
        replace_section(path, "two", "x")
