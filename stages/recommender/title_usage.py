"""How the requests of the training split use the words that titles are made of.

Many titles are common words as well ("It", "Up", "Her"). Whether such a word is meant as a title
is told by how often requests say it otherwise, with or without a capital letter, and by the word
before it; see :mod:`stages.recommender.serving.linking`. It is counted once, when a model is
saved, and kept beside it, ``artifacts.TITLE_USAGE_SCHEMA``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pyarrow as pa

from stages.recommender import artifacts

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
QUOTES = "\"'\u201c\u201d\u2018\u2019*_"


@dataclass(frozen=True)
class TitleUsage:
    """How requests use words where no movie is mentioned, and how often they mention each movie.

    Attributes:
        mentions: How often they mention each movie, by catalogue index.
        said: How often they say words otherwise, up to two in a row, in lower case.
        capital: How often they say a word otherwise with a capital letter within a sentence.
        introduces: How often a word stands right before a mention.
    """

    mentions: Counter[int] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    capital: Counter[str] = field(default_factory=Counter)
    introduces: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_requests(
        cls, texts: Iterable[str], mentions: Iterable[Sequence[int]], titles: Sequence[str]
    ) -> TitleUsage:
        """Count it.

        Args:
            texts: Of requests; for a mention stands ``@``, or its title.
            mentions: Catalogue indices that each mentions, in order.
            titles: Of the catalogue's movies.
        """
        usage = cls()
        for text, movies in zip(texts, mentions, strict=True):
            usage.mentions.update(movies)
            pieces = _between(text, [titles[movie] for movie in movies])
            for number, piece in enumerate(pieces):
                words = list(WORD.finditer(piece))
                said = [as_spoken(word[0]) for word in words]
                usage.said.update(said)
                usage.said.update(map(" ".join, pairwise(said)))
                usage.capital.update(
                    lower
                    for word, lower in zip(words, said, strict=True)
                    if word[0][0].isupper() and not begins_sentence(piece, word.start())
                )
                if number + 1 < len(pieces):
                    usage.introduces[word_before(piece, len(piece))] += 1
        return usage

    @classmethod
    def from_table(cls, table: pa.Table, mentions: Counter[int]) -> TitleUsage:
        """What :meth:`to_table` wrote.

        Args:
            table: Of ``artifacts.TITLE_USAGE_SCHEMA``.
            mentions: How often the requests mention each movie, by catalogue index; it is not in
                the table, since the requests beside it tell.
        """
        words = table["words"].to_pylist()
        counted = (
            Counter({word: n for word, n in zip(words, table[name].to_pylist(), strict=True) if n})
            for name in ("said", "capital", "introduces")
        )
        return cls(mentions, *counted)

    def to_table(self) -> pa.Table:
        """One row for words that are counted, in the order of their letters."""
        words = sorted(self.said.keys() | self.introduces.keys())
        columns: dict[str, Sequence[object]] = {
            "words": words,
            "said": [self.said[word] for word in words],
            "capital": [self.capital[word] for word in words],
            "introduces": [self.introduces[word] for word in words],
        }
        return pa.table(columns, schema=artifacts.TITLE_USAGE_SCHEMA)


def as_spoken(words: str) -> str:
    """Words as they are counted: in lower case, without apostrophes."""
    return words.lower().replace("'", "").replace("\u2019", "")


def begins_sentence(text: str, start: int) -> bool:
    """Whether a place in a text is the beginning of a sentence."""
    before = text[:start].rstrip(" \"'(\u201c\u2018")
    return not before or before[-1] in ".!?\n]/:-"


def word_before(text: str, end: int) -> str:
    """The word right before a place, as it is counted; empty where a sentence begins there."""
    before = text[:end].rstrip(f" {QUOTES}(")
    if begins_sentence(text, end):
        return ""
    start = max(before.rfind(" "), before.rfind("\n"))
    words = WORD.findall(before[start + 1 :])
    return as_spoken(words[-1]) if words else ""


def _between(text: str, titles: list[str]) -> list[str]:
    """What stands before, between and after the mentions, which ``@`` or their titles stand for."""
    pieces = text.split("@")
    if len(pieces) == len(titles) + 1:
        return pieces
    pieces, start = [], 0
    for title in titles:
        place = text.find(title, start) if title else -1
        if place >= 0:
            pieces.append(text[start:place])
            start = place + len(title)
    return [*pieces, text[start:]]
