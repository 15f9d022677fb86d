"""What a message looks like to the encoder: what stands in it for a movie."""

from collections.abc import Callable, Mapping, Sequence

from stages.recommender.corpora.mentions import MENTION

SEPARATOR = " [SEP] "
"""Between two messages; the tokenizer reads it as the encoder's own separator."""

TextForm = Callable[[str], str]


def text_form(name: str, titles: Mapping[int, str]) -> TextForm:
    """The function that rewrites the movies in a message.

    Args:
        name: ``masked``: every movie is a bare ``@``, as in the paper and the notebook;
            ``ids``: left as ``@123``; ``titles``: its title, or ``@`` where it has none.
        titles: Title by ReDial id.
    """
    match name:
        case "masked":
            return lambda text: MENTION.sub("@", text)
        case "ids":
            return lambda text: text
        case "titles":
            return lambda text: MENTION.sub(
                lambda mention: titles.get(int(mention.group(1)), "@"), text
            )
    raise ValueError(f"no text form {name!r}")


def join(messages: Sequence[str]) -> str:
    """The messages as one text."""
    return SEPARATOR.join(messages)
