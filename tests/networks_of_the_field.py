"""Small networks in the styles of the field, and the sizes that make those of transformers small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 4

#: Sizes of text models; a configuration takes those that it knows.
SMALL: dict[str, Any] = {
    **dict.fromkeys(
        ("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size", "word_embed_proj_dim"), 32
    ),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "num_decoder_layers"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim"), 48),
    **dict.fromkeys(("ffn_hidden_size", "d_inner", "n_inner", "hidden_dim"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 64),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 2),
    "vocab_size": 80,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "moe_intermediate_size": 32,
    "num_experts_per_tok": 1,
    "num_labels": 3,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}

#: What text models need beside `SMALL`; None leaves a size out.
TEXTS: dict[str, dict[str, Any]] = {
    "t5": {"decoder_start_token_id": 0},
    "xlnet": {"max_position_embeddings": None},
    "perceiver": {
        **{"d_latents": 32, "num_latents": 8, "num_self_attends_per_block": 1},
        **{"num_cross_attention_heads": 2, "num_self_attention_heads": 2},
    },
    "reformer": {
        **{"axial_pos_embds": False, "attention_head_size": 8, "feed_forward_size": 32},
        **{"attn_layers": ["local", "local"], "local_attn_chunk_length": 8, "is_decoder": False},
    },
    "funnel": {"num_hidden_layers": None, "block_sizes": [1, 1], "d_head": 8},
    "luke": {"entity_vocab_size": 80, "entity_emb_size": 32},
    "gptj": {"rotary_dim": 8},
    "falcon": {"head_dim": None, "num_key_value_heads": None},
    "gpt_neo": {"attention_types": [[["global"], 2]], "num_hidden_layers": None},
    "deepseek_v2": {"head_dim": None, "num_key_value_heads": 4},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8, "visual_embed": False},
    "lilt": {"hidden_size": 48, "channel_shrink_ratio": 2},
    "esmc": {"num_key_value_heads": 4},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
}

_PATCHES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
_PATCHES |= {"image_size": 64, "patch_size": 16, "num_labels": CLASSES}
_STAGES = {"num_labels": CLASSES, "image_size": 64}

#: Architectures of transformers that classify images, with the sizes that make them small.
VISION: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("vit", "deit", "beit", "data2vec-vision", "dinov2", "dinov2_with_registers", "vit_msn", "ijepa"), _PATCHES
    ),
    "resnet": {**_STAGES, "embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 1], "layer_type": "basic"},
    "regnet": {**_STAGES, "embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 1], "groups_width": 8},
    "bit": {**_STAGES, "embedding_size": 32, "hidden_sizes": [32, 64], "depths": [1, 1], "num_groups": 4},
    "convnext": {**_STAGES, "hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
    "convnextv2": {**_STAGES, "hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
    "swin": {**_STAGES, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    "swinv2": {**_STAGES, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    "mobilenet_v1": {**_STAGES, "depth_multiplier": 0.25},
    "mobilenet_v2": {**_STAGES, "depth_multiplier": 0.35},
    "mobilevit": {**_STAGES},
    "mobilevitv2": {**_STAGES},
    "swiftformer": {**_STAGES},
    "poolformer": {**_STAGES, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]},
    "segformer": {
        **_STAGES,
        "hidden_sizes": [8, 16, 24, 32],
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
    },
    "pvt": {**_STAGES, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]},
    "pvt_v2": {**_STAGES, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]},
    "cvt": {
        **_STAGES,
        "embed_dim": [8, 16, 24],
        "num_heads": [1, 1, 1],
        "depth": [1, 2, 3],
        "drop_path_rate": [0.0, 0.0, 0.0],
    },
    "levit": {**_STAGES, "hidden_sizes": [16, 32, 48], "num_attention_heads": [2, 2, 2], "depths": [1, 1, 1]},
    "focalnet": {**_STAGES, "embed_dim": 16, "depths": [1, 1, 1, 1]},
    "hgnet_v2": {**_STAGES},
    "textnet": {**_STAGES},
    "efficientnet": {**_STAGES, "width_coefficient": 0.25, "depth_coefficient": 0.2, "hidden_dim": 320},
    "hiera": {
        **_STAGES,
        "image_size": [64, 64],
        "embed_dim": 8,
        "depths": [1, 1, 1, 1],
        "num_heads": [1, 1, 2, 2],
        "query_stride": [2, 2],
    },
    "siglip": _STAGES,
    "clip": _STAGES,
}
#: Sides of the photos of networks that need another one than 64.
IMAGES = {"siglip": 224, "clip": 224}


class Residual(nn.Module):
    """A ResNet of functional ReLUs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(3))
        self.convolutions = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(2))
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.norms[0](self.stem(x))), 3, 2, 1)
        y = F.relu(self.norms[1](self.convolutions[0](x)), inplace=True)
        x = F.relu(x + self.norms[2](self.convolutions[1](y)))
        return self.head(x.mean((2, 3)))


class Dense(nn.Module):
    """A DenseNet: each layer reads all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, 4)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(6 + 4 * i), nn.ReLU(inplace=True), nn.Conv2d(6 + 4 * i, 4, 3, padding=1))
            for i in range(3)
        )
        self.head = nn.Linear(18, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.head(F.adaptive_avg_pool2d(F.relu(x), 1).flatten(1))


class Inception(nn.Module):
    """Branches of unlike sizes side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.MaxPool2d(2))
        self.small, self.large = nn.Conv2d(8, 6, 1), nn.Conv2d(8, 6, 5, padding=2)
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 4, 1))
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.cat([F.relu(branch(x)) for branch in (self.small, self.large, self.pooled)], 1)
        return self.head(x.mean((2, 3)))


class Gated(nn.Module):
    """A MobileNetV3: depthwise convolutions, hard swish, squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.BatchNorm2d(8), nn.ReLU6())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Hardsigmoid()
        )
        self.head = nn.Sequential(
            nn.Conv2d(8, 16, 1), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(self.stem(x))
        return self.head(x * self.gate(x))


class Shuffle(nn.Module):
    """A ShuffleNet: groups of channels that are mixed by a view."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.grouped = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.head(F.leaky_relu(self.grouped(x), 0.1).mean((2, 3)))


class Mixer(nn.Module):
    """An MLP mixer: patches that are mixed by linear layers over places; gated as gMLP if asked for."""

    def __init__(self, gated: bool = False) -> None:
        super().__init__()
        self.patches, self.gated = nn.Conv2d(3, 16, 16, 16), gated
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(3))
        self.places, self.channels = nn.Linear(16, 16), nn.Linear(16, 16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        mixed = self.places(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        x = x + (mixed * x if self.gated else F.gelu(mixed))
        x = x + F.gelu(self.channels(self.norms[1](x)))
        return self.head(self.norms[2](x).mean(1))


class Transformer(nn.Module):
    """A vision transformer of torch's own layers, with a class token or the mean of its tokens."""

    def __init__(self, class_token: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, 16)) if class_token else None
        self.places = nn.Parameter(torch.randn(1, 16 + class_token, 16) * 0.1)
        layer = nn.TransformerEncoderLayer(16, 2, 24, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(16), enable_nested_tensor=False)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        x = self.encoder(x + self.places)
        return self.head(x[:, 0] if self.token is not None else x.mean(1))


class Aware(nn.Module):
    """A ConvNeXt: channels last, layer norms, a large depthwise kernel, layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(3, 12, 4, 4), nn.Conv2d(12, 12, 7, padding=3, groups=12)
        self.norm, self.wide, self.narrow = nn.LayerNorm(12), nn.Linear(12, 24), nn.Linear(24, 12)
        self.scale, self.head = nn.Parameter(torch.full((12,), 0.5)), nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.narrow(F.gelu(self.wide(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))))
        x = x + (self.scale * y).permute(0, 3, 1, 2)
        return self.head(x.mean((2, 3)))


def _vgg() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(4)),
        *(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(4)),
        *(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(16, CLASSES)),
    )


def _squeezed() -> nn.Module:
    """A SqueezeNet or fully convolutional network: classes before the pooling."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, CLASSES, 1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


class Mirrored(nn.Module):
    """Test-time augmentation: the mean of a network on the photo and its mirror image."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Residual()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.net(x) + self.net(x.flip(3))) / 2


class Rolled(nn.Module):
    """Recurrent layers over the columns of maps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.recurrent = nn.Conv2d(3, 8, 8, 8), nn.GRU(64, 12, batch_first=True)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = F.silu(self.stem(x))
        return self.head(self.recurrent(maps.permute(0, 3, 1, 2).flatten(2))[0][:, -1])


class Fourier(nn.Module):
    """A global filter: places are mixed in the frequency domain."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.filter = nn.Conv2d(3, 8, 8, 8), nn.Parameter(torch.randn(8, 8, 5))
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.stem(x))
        x = x + torch.fft.irfft2(torch.fft.rfft2(x) * self.filter, s=x.shape[2:])
        return self.head(x.square().mean((2, 3)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "vgg-like": _vgg,
    "squeezenet-like": _squeezed,
    "resnet-like": Residual,
    "densenet-like": Dense,
    "inception-like": Inception,
    "mobilenetv3-like": Gated,
    "shufflenet-like": Shuffle,
    "convnext-like": Aware,
    "mixer-like": Mixer,
    "gmlp-like": lambda: Mixer(gated=True),
    "vit-like": lambda: Transformer(class_token=True),
    "vit-mean-like": lambda: Transformer(class_token=False),
    "mirrored": Mirrored,
    "recurrent": Rolled,
    "fourier-like": Fourier,
}
