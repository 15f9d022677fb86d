"""A sentence encoder: token ids in, one vector a text out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from stages.recommender.errors import UserError
from stages.recommender.modeling.dropout import quicken
from stages.recommender.modeling.ragged import Ragged

CHUNK_TOKENS = 2_048
"""Most tokens, padding included, that go through the encoder at once on a CPU."""


WIDTH_STEP = 32
"""On a GPU, texts are padded to a multiple of this many tokens."""


@dataclass(frozen=True)
class EncoderSizes:
    """What is made to fit an encoder.

    Attributes:
        width: Of its vectors.
        vocabulary: How many tokens it knows.
        parameters: How many it has.
    """

    width: int
    vocabulary: int
    parameters: int


class SentenceEncoder(nn.Module):
    """BERT-like encoder with pooling (Reimers and Gurevych 2019, Sentence-BERT).

    A batch is sorted by length and cut into chunks of about :data:`CHUNK_TOKENS`, so that a text
    is padded only to its neighbours' length; the vectors come back in the batch's own order, and
    a loss over them is that of the whole batch.

    Args:
        folder: Hugging Face model folder with ``config.json`` and ``model.safetensors``.
        pooling: ``mean`` over the attention mask, or ``cls``, the first token.
        trainable_layers: ``all``, ``none``, or how many of the last layers learn.
        parameter: What a message calls that parameter.

    Raises:
        UserError: The folder cannot be loaded, lacks weights, or has fewer layers than are to
            learn.
    """

    def __init__(
        self,
        folder: Path,
        pooling: str,
        trainable_layers: int | str,
        parameter: str = "training.trainable_layers",
    ) -> None:
        super().__init__()
        # here, since it takes seconds and serving has no need of it
        from transformers import AutoModel

        try:
            self.transformer, loaded = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,  # else an auto_map in config.json has it ask on a terminal
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told below, in one sentence
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            problem = str(error).splitlines()[0].partition(". ")[0]
            raise UserError(
                f"{folder} holds no encoder that can be loaded ({problem}); make it again with: "
                "dvc repro -f -s download_encoder"
            ) from None
        # a pooler of BERT's own is not part of any model here
        self.transformer.pooler = None
        missing = sorted(name for name in loaded["missing_keys"] if "pooler" not in name)
        if missing:  # transformers would draw them at random
            raise UserError(
                f"{folder}: model.safetensors has no {missing[0]}, which config.json needs; take "
                "both from one encoder, then: dvc repro -f -s download_encoder"
            )
        for name, there, wanted in sorted(loaded["mismatched_keys"]):
            raise UserError(
                f"{folder}: model.safetensors has {name} of {_sizes(there)}, but config.json asks "
                f"for {_sizes(wanted)}; take both from one encoder, then: "
                "dvc repro -f -s download_encoder"
            )
        self.pooling = pooling
        self.width: int = self.transformer.config.hidden_size
        self._freeze(trainable_layers, parameter)
        if trainable_layers != "none":
            quicken(self.transformer)

    @property
    def sizes(self) -> EncoderSizes:
        """Its own."""
        vocabulary: int = self.transformer.config.vocab_size
        return EncoderSizes(self.width, vocabulary, sum(p.numel() for p in self.parameters()))

    def _freeze(self, trainable_layers: int | str, parameter: str) -> None:
        if isinstance(trainable_layers, int):
            layers = getattr(getattr(self.transformer, "encoder", None), "layer", None)
            if layers is None:
                raise UserError(
                    f"{parameter} is {trainable_layers}, but the encoder keeps its layers in "
                    "another way than BERT does, so that some of them cannot be chosen; use all or "
                    "none"
                )
            if trainable_layers > len(layers):
                raise UserError(
                    f"{parameter} is {trainable_layers}, but the encoder has "
                    f"{len(layers)} layers; use a smaller number or all"
                )
            self.requires_grad_(False)
            layers[len(layers) - trainable_layers :].requires_grad_(True)
        else:
            self.requires_grad_(trainable_layers == "all")

    def forward(self, tokens: Ragged) -> Tensor:
        """Encode texts.

        Args:
            tokens: Input ids, one sequence a text.

        Returns:
            (texts, width) float32
        """
        if tokens.values.is_cuda:  # a GPU would rather have one large batch than little padding
            return self.encode(*self.padded(tokens))
        order = torch.argsort(tokens.lengths, stable=True)
        looked_up = None
        if self.training and torch.is_grad_enabled():
            # for all chunks at once: the gradient of a look-up is as large as the table
            looked_up = self.transformer.get_input_embeddings()(tokens.values)  # (tokens, width)
            tokens = Ragged(torch.arange(len(tokens.values)), tokens.lengths)
        vectors = [
            self.encode(*self.padded(tokens.take(rows)), looked_up)
            for rows in self._chunks(tokens, order)
        ]
        return torch.cat(vectors)[torch.argsort(order)]

    def padded(self, tokens: Ragged) -> tuple[Tensor, Tensor]:
        """Texts as a matrix: input ids, and their lengths; (texts, longest) and (texts,).

        On a GPU the width is a multiple of :data:`WIDTH_STEP`: its libraries choose a kernel
        anew for every shape that they have not met.
        """
        longest = int(tokens.lengths.max())
        if tokens.values.is_cuda:
            longest = -(-longest // WIDTH_STEP) * WIDTH_STEP
        return tokens.padded(0, longest), tokens.sizes

    def encode(self, ids: Tensor, lengths: Tensor, looked_up: Tensor | None = None) -> Tensor:
        """Encode padded texts.

        Args:
            ids: Input ids, or rows of ``looked_up``. (texts, longest)
            lengths: How many of a row are the text's. (texts,)
            looked_up: Embeddings of tokens. (tokens, width)

        Returns:
            (texts, width) float32
        """
        places = torch.arange(ids.shape[1], device=ids.device)
        mask = places < lengths[:, None]  # (texts, longest)
        read = {"input_ids": ids}
        if looked_up is not None:
            read = {"inputs_embeds": functional.embedding(ids, looked_up)}
        # in four dimensions it is taken as it is; else transformers waits to see whether it is full
        hidden: Tensor = self.transformer(
            **read, attention_mask=mask[:, None, None, :]
        ).last_hidden_state  # (texts, longest, width)
        if self.pooling == "cls":
            return hidden[:, 0].float()
        summed = (hidden.float() * mask[..., None]).sum(1)  # (texts, width)
        return summed / lengths[:, None]

    def _chunks(self, tokens: Ragged, order: Tensor) -> Iterator[Tensor]:
        start = 0
        lengths = tokens.lengths[order].tolist()
        for end in range(1, len(order) + 1):
            # sorted, so that the next text would be the longest of the chunk
            if end == len(order) or (end + 1 - start) * lengths[end] > CHUNK_TOKENS:
                yield order[start:end]
                start = end


def _sizes(shape: Iterable[int]) -> str:
    return " x ".join(str(size) for size in shape)
