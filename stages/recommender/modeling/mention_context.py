"""What the words around a mention say of the mentioned movie."""

from torch import Tensor, nn

from stages.recommender.params import Gate

MARKS = 2
"""Values below 0 that stand in a context beside token ids; see ``dialogues.contexts``."""


class MentionContext(nn.Module):
    """Token ids around a mention → a vector.

    Each token keeps its place in it: "I haven't seen @" is an answer to a recommendation, "have
    you seen @" is not.

    Args:
        vocabulary: Size of the tokenizer's.
        reach: Tokens on either side of a mention.
        params: Sizes and dropout.
    """

    def __init__(self, vocabulary: int, reach: int, params: Gate) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary + MARKS, params.context_embedding_size)
        nn.init.normal_(self.words.weight, std=0.1)
        self.hidden = nn.Sequential(
            nn.Dropout(params.sentence_dropout),
            nn.Linear(2 * reach * params.context_embedding_size, params.context_hidden_size),
            nn.ReLU(),
            nn.Dropout(params.dropout),
        )

    def forward(self, contexts: Tensor) -> Tensor:
        """Read contexts: (mentions, 2 * reach) → (mentions, context_hidden_size)."""
        words = self.words(contexts + MARKS)  # (mentions, 2 * reach, context_embedding_size)
        hidden: Tensor = self.hidden(words.flatten(1))
        return hidden
