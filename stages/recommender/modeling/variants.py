"""The variants of the one-shot recommender, and the model that they are cut from."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.recommender.modeling.gate import GatedRecommender
from stages.recommender.modeling.mentions import MentionNetwork
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import Model


@dataclass(frozen=True)
class Variant:
    """What a variant has beside text."""

    reads_mentions: bool = False
    """The mention network's vector is joined to the sentence vector."""
    learns_tags: bool = False
    """A second head predicts the movie of a MovieLens tag from the tag's sentence vector."""
    gates_repeats: bool = False
    """It is a :class:`~stages.recommender.modeling.gate.GatedRecommender`."""


VARIANTS = {
    "baseline": Variant(),
    "rnn": Variant(reads_mentions=True),
    "multitask": Variant(learns_tags=True),
    "rnn-multitask": Variant(reads_mentions=True, learns_tags=True),
    "gate": Variant(reads_mentions=True, gates_repeats=True),
}


class Head(nn.Sequential):
    """Dropout → linear → ReLU → dropout → linear, to one logit a movie."""

    def __init__(self, width: int, movies: int, params: Model) -> None:
        super().__init__(
            nn.Dropout(params.dropout),
            nn.Linear(width, params.hidden_size),
            nn.ReLU(),
            nn.Dropout(params.dropout),
            nn.Linear(params.hidden_size, movies),
        )


class OneShotRecommender(nn.Module):
    """Sentence vector, joined to the mentions' vector where the variant reads them → head.

    The sentence encoder is not part of it, so that vectors of a frozen encoder can be computed
    once; see :class:`~stages.recommender.modeling.encoder.SentenceEncoder`.

    Args:
        variant: What the model has beside text.
        sentence_width: Of a sentence vector.
        movies: Size of the catalogue.
        params: Sizes and dropout.
    """

    def __init__(self, variant: Variant, sentence_width: int, movies: int, params: Model) -> None:
        super().__init__()
        self.mention_network = (
            MentionNetwork(movies, params.mentions) if variant.reads_mentions else None
        )
        width = sentence_width + (self.mention_network.width if self.mention_network else 0)
        self.head = Head(width, movies, params)
        self.tag_head = Head(sentence_width, movies, params) if variant.learns_tags else None

    def forward(self, sentences: Tensor, mentions: Ragged) -> Tensor:
        """Score the catalogue.

        Args:
            sentences: Sentence vectors of the requests. (requests, sentence_width)
            mentions: Catalogue indices that each request mentions.

        Returns:
            Logits. (requests, movies)
        """
        features = [sentences]
        if self.mention_network is not None:
            features.append(self.mention_network(mentions))
        logits: Tensor = self.head(torch.cat(features, dim=1))
        return logits

    def tag_logits(self, sentences: Tensor) -> Tensor:
        """Score the catalogue for tags: (tags, sentence_width) → (tags, movies)."""
        if self.tag_head is None:
            raise RuntimeError("this variant does not learn tags")
        logits: Tensor = self.tag_head(sentences)
        return logits


RecommenderNetwork = OneShotRecommender | GatedRecommender
"""What scores the catalogue from sentence vectors and mentions."""
