"""The sentence encoder for answering requests: the same vectors, loaded in a fraction of a second.

Importing ``transformers``' models takes longer than all else that answering needs. A BERT encoder
is, weight for weight, torch's own ``TransformerEncoder``; any other encoder is left to
``transformers``.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.recommender.modeling.encoder import SentenceEncoder

_LAYER = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
"""What the parts of a BERT layer are called in torch's; query, key and value are one there."""


class Hidden(NamedTuple):
    """What the encoder makes of a batch."""

    last_hidden_state: Tensor
    """(texts, longest, width)."""


class Bert(nn.Module):
    """BERT (Devlin et al. 2019) for inference, of torch's own layers.

    Args:
        config: Of a Hugging Face BERT model.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        # tables of its own would be drawn at random, for which torch imports its compiler here
        self.words, self.places = (
            nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]
                torch.empty(config[rows], width)
            )
            for rows in ("vocab_size", "max_position_embeddings")
        )
        self.first_segment = nn.Parameter(torch.empty(width))
        self.norm = nn.LayerNorm(width, config["layer_norm_eps"])
        layer = nn.TransformerEncoderLayer(
            width,
            config["num_attention_heads"],
            config["intermediate_size"],
            activation="gelu",
            layer_norm_eps=config["layer_norm_eps"],
            batch_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, config["num_hidden_layers"], enable_nested_tensor=False
        )
        self.eval().requires_grad_(False)

    def take(self, weights: dict[str, Tensor]) -> None:
        """Take weights, by the names of a Hugging Face BERT model.

        Raises:
            KeyError: They are those of another architecture.
            RuntimeError: They are of other shapes.
        """
        self.load_state_dict(_renamed(weights, len(self.layers.layers)), assign=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Hidden:
        """Run the network.

        Args:
            input_ids: (texts, longest)
            attention_mask: Whether a token is the text's. (texts, 1, 1, longest)
        """
        places = self.places.weight[: input_ids.shape[1]]  # (longest, width)
        embedded = self.norm(self.words(input_ids) + places + self.first_segment)
        padding = ~attention_mask[:, 0, 0]  # (texts, longest)
        # without a mask where there is nothing to mask: a single request is answered sooner
        masked = padding if bool(padding.any()) else None
        return Hidden(self.layers(embedded, src_key_padding_mask=masked))


def _renamed(weights: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    renamed = {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "places.weight": weights["embeddings.position_embeddings.weight"],
        "first_segment": weights["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": weights["embeddings.LayerNorm.weight"],
        "norm.bias": weights["embeddings.LayerNorm.bias"],
    }
    for number in range(layers):
        old, new = f"encoder.layer.{number}", f"layers.layers.{number}"
        for kind in ("weight", "bias"):
            attention = [
                weights[f"{old}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")
            ]
            renamed[f"{new}.self_attn.in_proj_{kind}"] = torch.cat(attention)
            for part, own in _LAYER.items():
                renamed[f"{new}.{own}.{kind}"] = weights[f"{old}.{part}.{kind}"]
    return renamed


class LightEncoder(SentenceEncoder):
    """A :class:`SentenceEncoder` over :class:`Bert`.

    Args:
        transformer: The network.
        width: Of its vectors.
        pooling: ``mean`` or ``cls``.
    """

    def __init__(self, transformer: Bert, width: int, pooling: str) -> None:
        nn.Module.__init__(self)
        self.transformer = transformer
        self.width = width
        self.pooling = pooling


def load_encoder(folder: Path, pooling: str) -> SentenceEncoder:
    """Read an encoder for inference.

    Args:
        folder: Hugging Face model folder.
        pooling: ``mean`` or ``cls``.

    Raises:
        UserError: The folder cannot be loaded.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if _is_plain_bert(config):
            with torch.device("meta"):  # no weights are drawn at random: these are taken
                bert = Bert(config)
            bert.take(load_file(folder / "model.safetensors"))
            return LightEncoder(bert, config["hidden_size"], pooling)
    except (OSError, ValueError, KeyError, RuntimeError):
        pass  # told, or read after all, by the library that knows all architectures
    return SentenceEncoder(folder, pooling, trainable_layers="none")


def _is_plain_bert(config: dict[str, Any]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
    )
