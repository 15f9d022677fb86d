"""The words around each mention, and where it stands: what is said of a movie beside its name."""

from collections.abc import Sequence

from tokenizers import Tokenizer

from stages.recommender.dialogues.text import SEPARATOR

NOTHING = -1
"""Stands where the text has ended, or has not begun."""
OTHER_MENTION = -2
"""Stands for a mention beside the one whose words they are."""
COUNTS = 4
"""How many numbers say where a mention stands; see :func:`mention_places`."""


def mention_contexts(
    requests: Sequence[Sequence[str]], tokenizer: Tokenizer, reach: int
) -> list[list[int]]:
    """The token ids before and behind every mention, and its place.

    Args:
        requests: The pieces of each request's text between its mentions: before the first,
            between the first and the second, ..., behind the last.
        tokenizer: That cuts nothing.
        reach: Tokens on either side of a mention.

    Returns:
        For each request, ``2 * reach + COUNTS`` numbers a mention, one mention after the other:
        the ids before it, then those behind it, in the order of the text, then its
        :func:`mention_places`; :data:`NOTHING` and :data:`OTHER_MENTION` are no ids of the
        tokenizer.
    """
    pieces = list(dict.fromkeys(piece for request in requests for piece in request))
    encodings = tokenizer.encode_batch_fast(pieces, add_special_tokens=False)
    ids = {piece: encoding.ids for piece, encoding in zip(pieces, encodings, strict=True)}
    edge = [NOTHING] * reach
    contexts = []
    for request in requests:
        tokens, places = [*edge], []
        for number, piece in enumerate(request):
            if number:
                places.append(len(tokens))
                tokens.append(OTHER_MENTION)
            tokens += ids[piece]
        tokens += edge
        contexts.append(
            [
                token
                for place, counts in zip(places, mention_places(request), strict=True)
                for token in (
                    *tokens[place - reach : place],
                    *tokens[place + 1 : place + reach + 1],
                    *counts,
                )
            ]
        )
    return contexts


def mention_places(pieces: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Where each mention of a request stands.

    Args:
        pieces: As for :func:`mention_contexts`.

    Returns:
        For each mention the messages before its own and those behind it, and in its own message
        the words before it and those behind it, a mention being a word.
    """
    messages: list[list[int]] = [[0]]  # the words before, between and behind a message's mentions
    for number, piece in enumerate(pieces):
        first, *others = piece.split(SEPARATOR)
        if number:
            messages[-1].append(0)
        messages[-1][-1] += len(first.split())
        messages += [[len(other.split())] for other in others]
    return [
        (
            place,
            len(messages) - 1 - place,
            sum(words[:mention]) + mention - 1,
            sum(words[mention:]) + len(words) - 1 - mention,
        )
        for place, words in enumerate(messages)
        for mention in range(1, len(words))
    ]
