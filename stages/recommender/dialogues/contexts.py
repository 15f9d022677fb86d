"""The words around each mention: what is said of a movie, apart from its name."""

from collections.abc import Sequence

from tokenizers import Tokenizer

NOTHING = -1
"""Stands where the text has ended, or has not begun."""
OTHER_MENTION = -2
"""Stands for a mention beside the one whose words they are."""


def mention_contexts(
    requests: Sequence[Sequence[str]], tokenizer: Tokenizer, reach: int
) -> list[list[int]]:
    """The token ids before and behind every mention.

    Args:
        requests: The pieces of each request's text between its mentions: before the first,
            between the first and the second, ..., behind the last.
        tokenizer: That cuts nothing.
        reach: Tokens on either side of a mention.

    Returns:
        For each request, ``2 * reach`` ids a mention, one mention after the other: those before
        it, then those behind it, in the order of the text; :data:`NOTHING` and
        :data:`OTHER_MENTION` are no ids of the tokenizer.
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
                for place in places
                for token in (
                    *tokens[place - reach : place],
                    *tokens[place + 1 : place + reach + 1],
                )
            ]
        )
    return contexts
