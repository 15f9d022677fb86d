"""What the words around a mention, and its place, say of the mentioned movie."""

import torch
from torch import Tensor, nn

from stages.recommender.params import Gate

MARKS = 2
"""Values below 0 that stand in a context beside token ids; see ``dialogues.contexts``."""
_MOST_MESSAGES = 15
_MOST_WORDS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 30, 45)
"""The greatest number of each of the classes that numbers of words fall into, but for the last."""
_COUNTED = (_MOST_MESSAGES + 1, _MOST_MESSAGES + 1, len(_MOST_WORDS) + 1, len(_MOST_WORDS) + 1)
"""How many classes each of the numbers has that say where a mention stands."""
_COUNT_WIDTH = 16


class MentionContext(nn.Module):
    """Token ids around a mention, and where it stands → a vector.

    Each token keeps its place in it: "I haven't seen @" is an answer to a recommendation, "have
    you seen @" is not. What a first message names is more often liked than recommended.

    Args:
        vocabulary: Size of the tokenizer's.
        reach: Tokens on either side of a mention.
        params: Sizes and dropout.
    """

    most_words: Tensor

    def __init__(self, vocabulary: int, reach: int, params: Gate) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary + MARKS, params.context_embedding_size)
        nn.init.normal_(self.words.weight, std=0.1)
        self.places = nn.ModuleList(nn.Embedding(classes, _COUNT_WIDTH) for classes in _COUNTED)
        for vectors in self.places.parameters():
            nn.init.normal_(vectors, std=0.1)
        self.register_buffer("most_words", torch.tensor(_MOST_WORDS), persistent=False)
        width = 2 * reach * params.context_embedding_size + len(_COUNTED) * _COUNT_WIDTH
        self.hidden = nn.Sequential(
            nn.Dropout(params.sentence_dropout),
            nn.Linear(width, params.context_hidden_size),
            nn.ReLU(),
            nn.Dropout(params.dropout),
        )

    def forward(self, contexts: Tensor) -> Tensor:
        """Read contexts: (mentions, 2 * reach + 4) → (mentions, context_hidden_size)."""
        tokens, messages, words = torch.tensor_split(contexts, (-4, -2), dim=1)
        counts = torch.cat(
            [
                messages.clamp(max=_MOST_MESSAGES),
                torch.bucketize(words.contiguous(), self.most_words),
            ],
            dim=1,
        )  # (mentions, 4)
        read = [self.words(tokens + MARKS).flatten(1)]  # (mentions, 2 * reach * embedding size)
        read += [place(counts[:, number]) for number, place in enumerate(self.places)]
        hidden: Tensor = self.hidden(torch.cat(read, dim=1))
        return hidden
