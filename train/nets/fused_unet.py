"""The noise estimation modules of Echo-DND (GNEM, BNEM): diffusers' U-Net with the image's features fused into its
encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import nn

ATTENTION_HEADS = 4
CROSS_CHANNELS = 64
CROSS_TOKENS_PX = 16
"""Cross-attention reads features pooled to 16x16: full attention of a 256x256 map over itself is out of reach."""


class Fusion(nn.Module):
    """One scale's conditional features F^i, as the U-Net's level i takes them.

    "additive" adds a 1x1 projection. "cross" adds besides an attention from the level's map to the pooled features
    (section 4.2). What depends on the image alone comes from `prepare`, once an image.
    """

    def __init__(self, kind: str, features: int, channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.project = nn.Conv2d(features, channels, 1)
        if kind == "cross":
            self.query = nn.Conv2d(channels, CROSS_CHANNELS, 1)
            self.key_value = nn.Conv2d(features, 2 * CROSS_CHANNELS, 1)
            self.out = nn.Conv2d(CROSS_CHANNELS, channels, 1)
            nn.init.zeros_(self.out.weight)
            assert self.out.bias is not None
            nn.init.zeros_(self.out.bias)

    def prepare(self, features: torch.Tensor) -> list[torch.Tensor]:
        """The additive map, and for "cross" keys and values (N x heads x tokens x d)."""
        prepared = [self.project(features)]
        if self.kind == "cross":
            pooled = F.adaptive_avg_pool2d(features, min(CROSS_TOKENS_PX, features.shape[-1]))
            prepared += [_as_tokens(part) for part in self.key_value(pooled).chunk(2, 1)]
        return prepared

    def forward(self, x: torch.Tensor, prepared: Sequence[torch.Tensor]) -> torch.Tensor:
        x = x + prepared[0]
        if self.kind == "cross":
            attended = F.scaled_dot_product_attention(_as_tokens(self.query(x)), prepared[1], prepared[2])
            x = x + self.out(attended.transpose(2, 3).reshape(len(x), CROSS_CHANNELS, *x.shape[2:]))
        return x


def _as_tokens(x: torch.Tensor) -> torch.Tensor:
    """N x C x H x W to N x heads x HW x d."""
    return x.reshape(len(x), ATTENTION_HEADS, -1, x.shape[2] * x.shape[3]).transpose(2, 3)


class FusedUNet(nn.Module):
    """A U-Net over masks at one timestep, conditioned at its first levels on F^0, F^1, ...

    widths: channels a level. attention_level: the level with self-attention beside the middle. patch: p x p pixels are
    folded into channels at the input and unfolded at the output. latent: length of a global z that is added to the time
    embedding.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        widths: Sequence[int],
        blocks: int,
        attention_level: int,
        groups: int,
        features: Sequence[int],
        fusion: str,
        patch: int,
        latent: int,
    ) -> None:
        super().__init__()
        self.patch = patch
        levels = range(len(widths))
        self.unet = UNet2DModel(
            in_channels=channels_in * patch**2,
            out_channels=channels_out * patch**2,
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            norm_num_groups=groups,
            attention_head_dim=widths[attention_level] // ATTENTION_HEADS,
            down_block_types=tuple("AttnDownBlock2D" if k == attention_level else "DownBlock2D" for k in levels),
            up_block_types=tuple("AttnUpBlock2D" if k == attention_level else "UpBlock2D" for k in reversed(levels)),
        )
        # fuses at the first levels; a level's map after downsampling still has the channels of the level above
        entering = [widths[0], *widths[:-1]]
        self.fusions = nn.ModuleList(Fusion(fusion, f, c) for f, c in zip(features, entering))
        self.latent = nn.Linear(latent, 4 * widths[0], bias=False) if latent else None
        nn.init.zeros_(self.unet.conv_out.weight)
        nn.init.zeros_(self.unet.conv_out.bias)

    def prepare(self, features: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
        """What `forward` needs of an image's features: computed once, used at every step."""
        return [fusion.prepare(f) for fusion, f in zip(self.fusions, features)]  # type: ignore[operator]

    def forward(
        self, x: torch.Tensor, prepared: Sequence[Sequence[torch.Tensor]], t: torch.Tensor, z: torch.Tensor | None
    ) -> torch.Tensor:
        """x N x C x H x W, t N, z N x latent or None; N x channels_out x H x W."""
        unet = self.unet
        embedding = unet.time_embedding(unet.time_proj(t))
        if self.latent is not None:
            assert z is not None
            embedding = embedding + self.latent(z)
        h = unet.conv_in(F.pixel_unshuffle(x, self.patch))
        skips = []
        for level, block in enumerate(unet.down_blocks):
            if level < len(self.fusions):
                h = self.fusions[level](h, prepared[level])
            if level == 0:
                skips.append(h)
            h, passed = block(hidden_states=h, temb=embedding)
            skips += passed
        h = unet.mid_block(h, embedding)
        for block in unet.up_blocks:
            count = len(block.resnets)
            h = block(h, tuple(skips[-count:]), embedding)
            del skips[-count:]
        h = unet.conv_out(unet.conv_act(unet.conv_norm_out(h)))
        return F.pixel_shuffle(h, self.patch)
