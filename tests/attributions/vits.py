"""Small vision transformers, put together as the libraries of the field do it, with random weights."""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention as in timm: one linear layer for all, fused or step by step."""

    def __init__(self, width, heads, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.q_norm, self.k_norm, self.attn_drop = nn.Identity(), nn.Identity(), nn.Dropout(0.5)
        self.seen = None

    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=0.5 if self.training else 0.0)
        else:
            self.seen = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
            mixed = self.attn_drop(self.seen) @ v
        return self.proj(mixed.transpose(1, 2).reshape(n, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width), Attention(width, heads, fused)
        self.norm2, self.mlp = nn.LayerNorm(width), nn.Sequential(nn.Linear(width, width), nn.GELU())

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TimmLike(nn.Module):
    """Patches of 2 x 2 of images (2, height, width), ``first`` class and register tokens, three blocks, a head."""

    def __init__(self, first=1, *, size=(6, 8), fused=True, pool="token", seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.pool = first, pool
        self.patch_embed = nn.Conv2d(2, 8, 2, stride=2)
        self.cls_token = nn.Parameter(torch.randn(1, first, 8))
        self.pos_embed = nn.Parameter(torch.randn(1, first + size[0] * size[1] // 4, 8))
        self.pos_drop = nn.Dropout(0.1)
        self.blocks = nn.Sequential(*[Block(8, 2, fused) for _ in range(3)])
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)
        self.double()

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = self.pos_drop(torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed)
        x = self.norm(self.blocks(x))
        return self.head(x[:, 0] if self.pool == "token" else x[:, self.first :].mean(dim=1))


class EncoderLike(nn.Module):
    """The transformer encoder of torch over patches of 2 x 2 and a class token."""

    def __init__(self, *, norm_first=False):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(2, 8, 2, stride=2)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        for part in self.encoder.layers:  # copies of one layer, with one set of weights
            nn.init.normal_(part.self_attn.in_proj_weight)
        self.head = nn.Linear(8, 3)
        self.double()

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.encoder(torch.cat([self.token.expand(len(x), -1, -1), x], dim=1))[:, 0])


class Planted(nn.Module):
    """The class token attends to the patch of 2 x 2 that is brightest, and to nothing else; the score is its light.

    Tokens are (light, is the class token): the class token's query is 1 and a patch's 0, so that only the class token
    prefers light keys. Class 1 is the negative of class 0.
    """

    def __init__(self, fused=True):
        super().__init__()
        self.fused = fused
        self.patches = nn.Conv2d(1, 1, 2, stride=2, bias=False)
        nn.init.constant_(self.patches.weight, 0.25)

    def forward(self, x):
        light = self.patches(x).flatten(1)
        light = torch.cat([torch.zeros_like(light[:, :1]), light], dim=1)[:, None, :, None]
        query = torch.zeros_like(light)
        query[:, :, 0] = 50.0
        if self.fused:
            mixed = F.scaled_dot_product_attention(query, light, light, scale=1.0)
        else:
            mixed = torch.softmax(query @ light.transpose(2, 3), -1) @ light
        score = mixed[:, 0, 0]
        return torch.cat([score, -score], dim=1)
