"""Losses of samples that do not annotate every class."""

from __future__ import annotations

import pytest
import torch

from train.losses import SEGMENTATION_LOSSES, dice_cross_entropy, merge_unknown

LV_ALONE = torch.tensor([True, True, False, False])
ALL = torch.ones(4, dtype=torch.bool)


def batch(count: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """(logits of four classes, targets of LV and background)."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, 4, 6, 5, generator=generator)
    return logits.requires_grad_(), torch.randint(0, 2, (count, 6, 5), generator=generator)


def test_what_is_not_annotated_goes_into_the_background() -> None:
    logits, _ = batch()
    before, after = logits.softmax(1), merge_unknown(logits, torch.stack([LV_ALONE, ALL])).softmax(1)
    assert torch.allclose(after[0, 0], before[0, [0, 2, 3]].sum(0), atol=1e-6)
    assert torch.allclose(after[0, 1], before[0, 1], atol=1e-6)
    assert not after[0, 2:].any()
    assert torch.equal(after[1], before[1])
    assert merge_unknown(logits, None) is logits


@pytest.mark.parametrize("name", SEGMENTATION_LOSSES)
def test_a_sample_with_the_lv_alone_is_judged_as_lv_or_not(name: str) -> None:
    logits, target = batch()
    rest = logits[:, [0, 2, 3]].logsumexp(1)
    expected = SEGMENTATION_LOSSES[name](torch.stack([rest, logits[:, 1]], 1), target, None)
    found = SEGMENTATION_LOSSES[name](logits, target, LV_ALONE.expand(2, -1))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", SEGMENTATION_LOSSES)
def test_it_does_not_teach_that_wall_and_atrium_are_background(name: str) -> None:
    """Of a pixel outside the LV the wall's share of the rest is left as it is; with the classes taken for known it is
    pushed down.
    """
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    for known, taught in ((LV_ALONE[None], False), (None, True)):
        logits = torch.zeros(1, 4, 4, 4)
        logits[:, 2] = 8.0  # wall, and sure of it
        logits.requires_grad_()
        SEGMENTATION_LOSSES[name](logits, target, known).backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
        assert bool((logits.grad[:, 2].abs() > 1e-3).any()) == taught


def test_a_class_that_no_sample_of_the_batch_knows_has_no_dice() -> None:
    logits, target = batch()
    other = logits.detach().clone()
    other[:, 2:] -= 20
    perfect = torch.nn.functional.one_hot(target, 4).permute(0, 3, 1, 2) * 40.0
    assert dice_cross_entropy(perfect, target, LV_ALONE.expand(2, -1)).item() == pytest.approx(0, abs=1e-4)
    halved = perfect.clone()
    halved[:, 1] = halved[:, 0]
    assert dice_cross_entropy(halved, target, LV_ALONE.expand(2, -1)).item() > 0.5


def test_samples_of_both_kinds_share_a_batch() -> None:
    logits, target = batch(4)
    target[2:, 0] = 2
    known = torch.stack([LV_ALONE, LV_ALONE, ALL, ALL])
    value = dice_cross_entropy(logits, target, known)
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    all_known = dice_cross_entropy(logits, target)
    assert torch.equal(dice_cross_entropy(logits, target, ALL.expand(4, -1)), all_known)
    assert value.item() != pytest.approx(all_known.item())
