from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from edge.errors import DataError
from edge.heart.view import VIEWS
from tests.phantom import apical_frame
from tests.train.small import samples, write_camus
from train.augment import AugmentSpec
from train.checkpoint import load_checkpoint, save_checkpoint
from train.data.clips import Clip, clip_of, open_clips
from train.evaluate.metrics import flicker
from train.facts import Facts
from train.initialise import initialise
from train.nets.ral import RECURRENT_NETS, FrameWise, Parts, parts_without
from train.nets.ral_blocks import RETENTION
from train.nets.unet_plus_plus import UNetPlusPlus
from train.ral.data import ClipData, CroppedClip, drifted
from train.ral.loss import aggregation_loss, unrest
from train.ral.score import run_clip, score_clips
from train.ral.training import AUGMENT, PAPER, build_net, load_net, train_clips
from train.segmentation import normalised

SIZE = 64
FACTS = Facts(net="ral-small", size=SIZE, classes=("background", "LV", "myocardium", "LA"))


def small(seed: int = 0, **switched_off: bool) -> torch.nn.Module:
    torch.manual_seed(seed)
    net = RECURRENT_NETS["ral-small"](4, SIZE, parts=Parts(**switched_off))
    with torch.no_grad():  # batch norm learns its inputs
        net.train()(torch.rand(2, 3, 1, SIZE, SIZE) * 2 - 1)
    return net.eval()


def clip(length: int = 5, count: int = 1) -> torch.Tensor:
    return torch.rand(count, length, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("name", "parameters_m", "gmac"), [("ral", 3.24, 13.7), ("ral-small", 1.77, 1.29)])
def test_parameters_and_macs_of_a_frame(name: str, parameters_m: float, gmac: float) -> None:
    net = RECURRENT_NETS[name](4, 256).eval()
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(parameters_m, abs=0.01)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(torch.zeros(1, 1, 1, 256, 256))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, abs=0.05)


def test_a_clip_at_once_is_a_clip_frame_by_frame() -> None:
    net, frames = small(), clip()
    with torch.inference_mode():
        logits, views, states = net(frames)
        after = None
        for t in range(frames.shape[1]):
            one, view, after = net(frames[:, t : t + 1], after)
            torch.testing.assert_close(one[:, 0], logits[:, t], rtol=0, atol=1e-5)
            torch.testing.assert_close(view[:, 0], views[:, t], rtol=0, atol=1e-5)
    for (y, h), (y_once, h_once) in zip(after, states):
        torch.testing.assert_close(y, y_once, rtol=0, atol=1e-5)
        torch.testing.assert_close(h, h_once, rtol=0, atol=1e-5)


def test_the_past_matters_until_a_recording_starts() -> None:
    net, frames = small(), clip()
    starts = torch.tensor([[False, False, True, False, False]])
    with torch.inference_mode():
        whole, restarted = net(frames)[0], net(frames, None, starts)[0]
        alone = net(frames[:, 2:])[0]
    torch.testing.assert_close(restarted[:, 2:], alone, rtol=0, atol=1e-5)
    assert (whole[:, 2:] - alone).abs().max() > 1e-3


def test_no_weights_make_the_memory_grow_without_end() -> None:
    net = small()
    with torch.no_grad():
        for cell in net.cells:
            cell.gates.bias += 5
            if cell.lift is not None:
                cell.lift.weight *= 100
    with torch.inference_mode():
        states = net(clip(1).expand(-1, 60, -1, -1, -1))[2]
    highest = [float(h.abs().max()) for _, h in states]
    assert max(highest) <= 2 / (1 - RETENTION)
    assert min(highest) > 0.9 / (1 - RETENTION)  # and they do fill up


def test_without_the_temporal_branch_every_frame_stands_alone() -> None:
    net, frames = small(temporal=False), clip()
    with torch.inference_mode():
        logits = net(frames)[0]
        torch.testing.assert_close(net(frames.flip(1))[0].flip(1), logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("part", ["classification", "conv_block", "temporal", "spatial"])
def test_each_part_can_be_left_out(part: str) -> None:
    net = RECURRENT_NETS["ral-small"](4, SIZE, parts=parts_without([part]))
    logits, views, _ = net(clip(2))
    assert logits.shape == (1, 2, 4, SIZE // 2, SIZE // 2)
    assert (views is None) == (part == "classification")
    full = RECURRENT_NETS["ral-small"](4, SIZE).state_dict().keys()
    if part != "temporal":  # that one only zeroes states
        assert net.state_dict().keys() != full


@pytest.mark.parametrize(("size", "fits"), [(64, True), (256, True), (32, False), (100, False), (192, False)])
def test_sizes(size: int, fits: bool) -> None:
    if fits:
        RECURRENT_NETS["ral-small"](4, size)
        return
    with pytest.raises(ValueError, match="use 128, 256 or 512"):
        RECURRENT_NETS["ral-small"](4, size)


def test_weights_of_one_size_start_a_net_of_another(tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "a", {f"ema.{n}": t for n, t in RECURRENT_NETS["ral-small"](4, 128).state_dict().items()}, FACTS
    )
    net = RECURRENT_NETS["ral-small"](4, 256)
    assert initialise(net, "T", tmp_path / "a") == len(net.state_dict())


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(DataError, match="'wings' is not a part of RAL"):
        build_net(msgspec.structs.replace(FACTS, without=("wings",)))


def test_unet_plus_plus_counts_and_runs_on_clips() -> None:
    net = FrameWise(UNetPlusPlus(4))
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(2.29, abs=0.01)
    logits, views, states = net(clip(2))
    assert logits.shape == (1, 2, 4, SIZE, SIZE)
    assert views is states is None


def test_the_loss_is_the_papers_with_the_sign_of_dice_mended() -> None:
    """Equations (5)-(7) by hand, for a network that gives chosen logits of two classes at the mask's own size."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 4, 2, 8, 8, generator=generator, requires_grad=True)
    views = torch.randn(1, 4, 3, generator=generator, requires_grad=True)
    mask = (torch.rand(1, 4, 8, 8, generator=generator) > 0.5).long()
    view, calls = torch.tensor([[0, 1, 2, 0]]), []

    class Given(torch.nn.Module):
        def forward(self, images: torch.Tensor, states: object, starts: torch.Tensor) -> object:
            first = 2 * len(calls)
            calls.append(starts.shape)
            part = slice(first, first + 2)
            return logits[:, part], views[:, part], None

    starts = torch.zeros(1, 4, dtype=torch.bool)
    batch = [torch.zeros(1, 4, 1, 8, 8), mask, view, starts, torch.ones(1, 4, 2, dtype=torch.bool)]
    parts = list(aggregation_loss(2, view_weight=0.5)(Given(), batch))
    assert len(parts) == len(calls) == 2
    for k, part in enumerate(parts):
        frames = slice(2 * k, 2 * k + 2)
        p, g = logits[0, frames].softmax(1)[:, 1], mask[0, frames].float()
        cross_entropy = -(g * p.log() + (1 - g) * (1 - p).log()).mean()
        gain = (2 * (g * p).sum() + 1) / (g.sum() + p.sum() + 1)
        kind = F.cross_entropy(views[0, frames], view[0, frames])
        torch.testing.assert_close(part, (cross_entropy + 1 - gain + 0.5 * kind) / 2)


def pairs(patients: int = 4) -> list[Clip]:
    frames = samples(patients)
    return [Clip(tuple(frames[k : k + 2])) for k in range(0, len(frames), 2)]


def test_short_clips_are_packed_and_marked() -> None:
    data = ClipData(pairs(5), SIZE, 4, 0, None)
    assert len(data) == 2  # ten frames make two whole items
    images, masks, views, starts, known = data[0]
    assert known.shape == (4, 4)
    assert known.all()
    assert images.shape == (4, 1, SIZE, SIZE)
    assert masks.shape == (4, SIZE, SIZE)
    assert starts[0]
    assert {VIEWS[k] for k in views.tolist()} == {"A4C"}


def test_a_pair_comes_in_either_order_or_as_two_pictures() -> None:
    """ED first in every clip would teach the network that a stream's first frame is ED."""
    data = ClipData(pairs(2), SIZE, 2, 0, None)
    kept = [normalised(clip.images[0]) for clip in data.clips]
    seen = set()
    for epoch in range(20):
        data.set_epoch(epoch)
        for images, _, _, starts, _ in (data[0], data[1]):
            seen.add((any(torch.equal(images[0], ed) for ed in kept), starts.tolist()[1]))
    assert seen == {(True, True), (True, False), (False, True), (False, False)}


def test_a_pair_s_first_frame_is_held_and_drifts() -> None:
    """Real echo comes in pairs; a network that never saw a third frame of it was worse there."""
    still = AugmentSpec(
        rotation_deg=0,
        scale=(1, 1),
        aspect=0,
        shift=0,
        gamma=(1, 1),
        p_crush=0,
        p_texture=0,
        p_shadow=0,
        p_sector=0,
        p_marks=0,
    )
    data = ClipData(pairs(1) * 3, SIZE, 6, 0, still)
    lengths, moves = set(), []
    for epoch in range(20):
        data.set_epoch(epoch)
        if not len(data):
            continue
        images, masks, _, starts, _ = data[0]
        begins = [*np.flatnonzero(starts.numpy()).tolist(), len(starts)]
        lengths |= {stop - first for first, stop in pairwise(begins)}
        first, stop = begins[0], begins[1]
        if stop - first > 3:
            assert not torch.equal(images[first], images[first + 1])
            moves.append(float((masks[first] != masks[first + 1]).float().mean()))
    assert {1, 2, 3} <= lengths <= set(range(1, 7))
    assert moves
    assert max(moves) < 0.05  # slow: the same heart, a little aside


def test_a_drift_grows_with_each_step_and_takes_the_mask_along() -> None:
    image = np.zeros((64, 64), np.uint8)
    image[20:40, 20:40] = 200
    away = [drifted(image, image, steps, np.random.default_rng(3)) for steps in range(3)]
    assert np.array_equal(away[0][0], image)
    near, far = (np.count_nonzero(mask != image) for _, mask in away[1:])
    assert 0 < near < far
    for picture, mask in away:
        assert set(np.unique(mask)) == {0, 200}
        assert np.abs(picture.astype(int) - mask).mean() < 5


def test_a_long_clip_gives_a_window_in_order() -> None:
    one = pairs(1)[0]
    frames = tuple(replace(one.frames[0], image=apical_frame(seed=k, size=len(one.frames[0].image))) for k in range(9))
    data = ClipData([Clip(frames)], SIZE, 4, 0, None)
    kept = [normalised(image) for image in data.clips[0].images]
    firsts = set()
    for epoch in range(12):
        data.set_epoch(epoch)
        images, _, _, starts, _ = data[0]
        places = [next(k for k, other in enumerate(kept) if torch.equal(image, other)) for image in images]
        assert places == list(range(places[0], places[0] + 4))
        assert starts.tolist() == [True, False, False, False]
        firsts.add(places[0])
    assert len(firsts) > 2


def test_all_frames_of_a_clip_are_augmented_alike_and_anew_each_epoch() -> None:
    frame = samples(1)[0]
    data = ClipData([Clip((frame,) * 4)], SIZE, 4, 0, AugmentSpec())
    images, masks, *_ = data[0]
    assert all(torch.equal(images[0], image) for image in images)
    assert all(torch.equal(masks[0], mask) for mask in masks)
    data.set_epoch(1)
    assert not torch.equal(data[0][0], images)
    data.set_epoch(0)
    assert torch.equal(data[0][0], images)


def test_mild_augmentation_stays_nearer_to_the_picture() -> None:
    clips = pairs(6)
    usual = np.mean([masks.numpy() for _, masks, *_ in ClipData(clips, SIZE, 2, 0, None)], axis=(0, 1))
    away = {
        name: np.mean(
            [
                np.abs(masks.numpy() - usual).mean()
                for seed in range(4)
                for _, masks, *_ in ClipData(clips, SIZE, 2, seed, spec)
            ]
        )
        for name, spec in AUGMENT.items()
    }
    assert 0 < away["mild"] < 0.75 * away["wide"]


def test_camus_becomes_clips_of_two_frames_and_synthetic_loops_whole_beats(tmp_path: Path) -> None:
    write_camus(tmp_path, 2)
    write_camus(tmp_path, 1, view="2CH")
    found = [(c.patient, c.view, [f.phase for f in c.frames]) for c in open_clips(f"camus:{tmp_path}")]
    assert sorted(found) == [
        ("patient0001", "A2C", ["ED", "ES"]),
        ("patient0001", "A4C", ["ED", "ES"]),
        ("patient0002", "A4C", ["ED", "ES"]),
    ]
    beat, window = clip_of(7, None), clip_of(7, 3)
    assert {"ED", "ES"} <= {f.phase for f in beat.frames}
    assert len(window.frames) == 3
    assert beat.volumes_ml is not None
    assert beat.volumes_ml[0] > beat.volumes_ml[1] > 0
    assert beat.view == window.view
    assert beat.view in VIEWS


def test_unrest_is_the_flicker_of_sure_contours_and_leaves_out_where_a_recording_starts() -> None:
    masks = torch.zeros(1, 4, 16, 16, dtype=torch.int64)
    for t, width in enumerate((4, 6, 8, 6)):
        masks[0, t, :8, :width] = 1
    found = masks.clone()
    found[0, 2] = found[0, 1]  # one frame late
    logits = 50 * F.one_hot(found, 2).permute(0, 1, 4, 2, 3).float()
    starts = torch.tensor([[True, False, False, False]])
    areas = [stack[0].eq(1).sum((1, 2)).double().numpy() for stack in (found, masks)]
    assert float(unrest(logits, masks, starts)) == pytest.approx(flicker(*areas), rel=1e-5)
    starts[0, 2:] = True
    assert float(unrest(logits, masks, starts)) == pytest.approx(0, abs=1e-6)
    assert float(unrest(logits, masks, starts | True)) == 0


def test_clips_with_the_lv_alone_leave_the_rest_to_others() -> None:
    """Neither loss, unrest nor score says anything of a wall and an atrium that a clip does not annotate."""
    whole = pairs(1)
    drawn = [
        Clip(tuple(replace(f, mask=(f.mask == 1).astype(np.uint8), known=(1,)) for f in clip.frames)) for clip in whole
    ]
    full, lv_alone = (CroppedClip(clips[0], SIZE) for clips in (whole, drawn))
    assert lv_alone.flags.tolist() == [True, True, False, False]
    masks, starts = torch.from_numpy(lv_alone.masks).long()[None], torch.tensor([[True, False]])
    known = lv_alone.flags.expand(1, 2, -1)
    true = F.one_hot(torch.from_numpy(full.masks).long(), 4)[None].permute(0, 1, 4, 2, 3).float()
    assert float(unrest(50 * true, masks, starts, known)) == pytest.approx(0, abs=1e-5)
    assert float(unrest(50 * true, masks, starts)) > 0.01

    class Right(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, images: torch.Tensor, states: object, *starts: object) -> object:
            return 50 * true, None, None

    batch = [torch.zeros(1, 2, 1, SIZE, SIZE), masks, torch.zeros(1, 2).long(), starts, known]
    assert float(next(aggregation_loss(2)(Right(), batch))) == pytest.approx(0, abs=1e-3)
    row = score_clips(Right(), [lv_alone])
    assert (row["lv"], row["mean"]) == (1.0, 1.0)
    assert not {"myo", "la"} & set(row)


def test_a_short_training_learns_resumes_and_scores(tmp_path: Path) -> None:
    config = replace(PAPER, epochs=2, batch=2, warmup_steps=0, workers=0, mixed_precision=False, ema_decay=0.0)
    torch.manual_seed(0)
    train_clips(FACTS, pairs(4), pairs_from(9), replace(config), tmp_path, build_net(FACTS), None, 2, 1)
    _, saved = load_checkpoint(tmp_path / "last.safetensors")
    history = saved.history
    assert history[1]["loss"] < history[0]["loss"]
    assert {"lv", "mean", "view", "flicker"} <= history[0].keys()
    assert saved.training_frames == 8
    cropped = [CroppedClip(c, SIZE) for c in pairs_from(9)]
    net = load_net(tmp_path / "last.safetensors")
    assert score_clips(net, cropped)["mean"] == pytest.approx(history[1]["mean"])
    masks, views = run_clip(net, cropped[0].images)
    assert masks.shape == (2, SIZE, SIZE)
    assert views is not None
    np.testing.assert_allclose(views.sum(1), 1, rtol=1e-5)


def pairs_from(first: int) -> list[Clip]:
    return [Clip(tuple(samples(1, first)))]


def test_patients_on_both_sides_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="both training and validation"):
        train_clips(FACTS, pairs(2), pairs(1), PAPER, tmp_path, small(), None)
