from __future__ import annotations

import numpy as np
import pytest
import torch

from edge.errors import DataError
from train.losses import masked_mse, squared_emd
from train.nets.quality_net import ATTENTIONS, BACKBONES, HEADS, QualityNet, Variant, expected_score
from train.quality.end_to_end import quality_loss


@pytest.mark.parametrize(("backbone", "millions"), [("mobilenet-v2", 2.23), ("efficientnet", 4.02), ("cvc", 0.30)])
def test_backbones(backbone: str, millions: float) -> None:
    net = QualityNet(Variant(backbone)).eval()
    assert net(torch.zeros(2, 1, 64, 64)).shape == (2, 8)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.02)


def test_efficientnet_has_the_papers_size_with_a_classifier_of_1000_and_three_colours() -> None:
    """Tan and Le, table 2: 5.3 M parameters."""
    net = QualityNet(Variant("efficientnet"))
    trunk = sum(p.numel() for p in net.trunk.parameters())
    assert (trunk + 2 * 32 * 9 + 1281 * 1000) / 1e6 == pytest.approx(5.29, abs=0.01)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("head", HEADS)
def test_heads_and_attention_learn(head: str, attention: str) -> None:
    torch.manual_seed(0)
    net = QualityNet(Variant("cvc", head, attention)).train()
    regions = 8 if attention == "none" else 1
    image = torch.rand(4, 1, 64, 64)
    scores = torch.full((4, regions), 4.5)
    scores[0] = torch.nan
    batch = [image, scores] + ([] if attention == "none" else [torch.rand(4, 1, 64, 64) > 0.5])
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    values = []
    for _ in range(6):
        value = quality_loss(net, batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0]
    evaluated = net.eval()(image)
    assert evaluated.shape == (4, regions)
    if head == "classification":
        assert ((evaluated >= 1) & (evaluated <= 5)).all()


def test_hard_attention_sees_its_area_alone_and_soft_attention_starts_blind() -> None:
    torch.manual_seed(0)
    area = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    area[..., 20:40, 20:40] = True
    one = torch.rand(1, 1, 64, 64)
    other = torch.where(area, one, torch.rand(1, 1, 64, 64))
    hard = QualityNet(Variant("cvc", attention="hard")).eval()
    torch.testing.assert_close(hard(one, area), hard(other, area))
    assert not torch.allclose(hard(one), hard(other))
    soft = QualityNet(Variant("cvc", attention="soft")).eval()
    torch.testing.assert_close(soft(one, area), soft(one))
    torch.nn.init.normal_(soft.attend.weight)
    assert not torch.allclose(soft(one, area), soft(one))


@pytest.mark.parametrize("field", ["backbone", "head", "attention"])
def test_unknown_variants_list_the_known(field: str) -> None:
    known = {"backbone": BACKBONES, "head": HEADS, "attention": ATTENTIONS}[field]
    with pytest.raises(DataError, match=", ".join(known)):
        Variant(**{field: "alexnet"})


def test_squared_emd_closed_forms() -> None:
    certain = torch.full((1, 1, 5), -100.0)
    certain[0, 0, 1] = 100  # level 2
    for label, expected in ((2.0, 0.0), (3.0, 1.0), (5.0, 3.0), (2.5, 0.25)):
        assert squared_emd(certain, torch.tensor([[label]])).item() == pytest.approx(expected, abs=1e-6)
    both = torch.cat([certain, certain])
    labels = torch.tensor([[3.0], [torch.nan]])
    assert squared_emd(both, labels).item() == pytest.approx(1)
    assert squared_emd(both, torch.full((2, 1), torch.nan)).item() == 0
    assert expected_score(certain).item() == pytest.approx(2)


def test_squared_emd_is_least_at_the_label() -> None:
    labels = torch.tensor([[3.4]])
    logits = torch.nn.Parameter(torch.zeros(1, 1, 5))
    optimizer = torch.optim.Adam([logits], 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        squared_emd(logits, labels).backward()
        optimizer.step()
    assert expected_score(logits).item() == pytest.approx(3.4, abs=0.05)


def test_masked_regions_give_no_gradient() -> None:
    scores = torch.zeros(1, 2, requires_grad=True)
    masked_mse(scores, torch.tensor([[torch.nan, 3.0]])).backward()
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad.numpy(), [[0, -6]])
