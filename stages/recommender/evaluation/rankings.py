"""A model's rankings beside what they answer, and the readings that only filter them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.recommender.errors import UserError
from stages.recommender.evaluation.movie_lists import MovieLists

DEPTH = 100
"""Movies of a ranking that are kept."""

NEEDED = 50
"""The greatest cutoff: so many movies are left in a full ranking after any filter."""

_ROWS_AT_ONCE = 512


def top(scores: NDArray[np.float32], depth: int = DEPTH) -> NDArray[np.int32]:
    """The best movies of each row of scores.

    Ties go to the movie of lower index, at the last rank too, so that the same scores always give
    the same ranking.

    Args:
        scores: (examples, movies), a greater one is better.
        depth: How many movies to keep.

    Returns:
        Catalogue indices, best first: (examples, depth), or (examples, movies) where the
        catalogue is smaller.

    Raises:
        ValueError: A score is no number.
    """
    starts = range(0, len(scores), _ROWS_AT_ONCE)
    blocks = [_top_block(scores[start : start + _ROWS_AT_ONCE], depth) for start in starts]
    width = min(depth, scores.shape[1])
    return np.concatenate([np.empty((0, width), dtype=np.int32), *blocks])


def _top_block(scores: NDArray[np.float32], depth: int) -> NDArray[np.int32]:
    if np.isnan(scores).any():
        raise ValueError("a score is no number, so that it has no place in a ranking")
    # One integer for each score and movie that sorts as both do: the bits of a float32 sort as
    # its value does once a negative one's are turned; they are turned again to put the best
    # first. Distinct numbers have one order, whatever the algorithm.
    bits = (np.asarray(scores, dtype=np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    sign = np.uint32(1 << 31)
    descending = np.where(bits & sign, bits, ~(bits | sign)).astype(np.uint64)
    keys = (descending << np.uint64(32)) | np.arange(scores.shape[1], dtype=np.uint64)
    if depth < scores.shape[1]:
        keys = np.partition(keys, depth - 1, axis=1)[:, :depth]
    return np.sort(keys, axis=1).astype(np.uint32).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Rankings:
    """What a model answers the examples of one reading; rows in the order of the examples."""

    reading: str
    conversation_id: NDArray[np.int64]
    """(examples,)."""
    turn: NDArray[np.int32]
    """(examples,)."""
    mentions: MovieLists
    """What the request mentions."""
    labels: MovieLists
    """What was recommended, distinct."""
    ranking: NDArray[np.int32]
    """Catalogue indices, best first: (examples, DEPTH), -1 where there are fewer."""
    repeat: int = 0
    """Which training of the model answered."""

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.conversation_id)

    @classmethod
    def from_table(cls, table: pa.Table, reading: str, repeat: int = 0) -> Self:
        """The rows of one reading and one training in a table of ``artifacts.RANKING_SCHEMA``.

        Raises:
            ValueError: The table has none.
        """
        rows = table.filter((pc.field("reading") == reading) & (pc.field("repeat") == repeat))
        if not rows.num_rows:
            raise ValueError(f"no ranking of reading {reading}, repeat {repeat}")
        return cls(
            reading,
            rows["conversation_id"].to_numpy(),
            rows["turn"].to_numpy(),
            MovieLists.from_column(rows["mentions"]),
            MovieLists.from_column(rows["labels"]),
            _padded(MovieLists.from_column(rows["ranking"])),
            repeat,
        )

    @classmethod
    def from_scores(cls, examples: pa.Table, reading: str, scores: NDArray[np.float32]) -> Self:
        """The rankings that scores give.

        Args:
            examples: Of ``artifacts.EXAMPLE_SCHEMA``.
            reading: How the dialogues were read.
            scores: (examples, movies), a greater one is better.
        """
        ranking = np.full((len(scores), DEPTH), -1, dtype=np.int32)
        best = top(scores)
        ranking[:, : best.shape[1]] = best
        return cls(
            reading,
            examples["conversation_id"].to_numpy(),
            examples["turn"].to_numpy(),
            MovieLists.from_column(examples["mentions"]),
            MovieLists.from_column(examples["labels"]),
            ranking,
        )

    def to_table(self) -> pa.Table:
        """A table with the columns of ``artifacts.RANKING_SCHEMA``."""
        there = self.ranking >= 0
        return pa.table(
            {
                "reading": [self.reading] * len(self),
                "repeat": pa.array([self.repeat] * len(self), pa.int32()),
                "conversation_id": self.conversation_id,
                "turn": self.turn,
                "mentions": self.mentions.to_column(),
                "labels": self.labels.to_column(),
                "ranking": MovieLists(self.ranking[there], there.sum(axis=1)).to_column(),
            }
        )

    def keep(self, kept: NDArray[np.bool_]) -> "Rankings":
        """Only some examples; ``kept`` has one entry an example."""
        return replace(
            self,
            conversation_id=self.conversation_id[kept],
            turn=self.turn[kept],
            mentions=self.mentions.keep_rows(kept),
            labels=self.labels.keep_rows(kept),
            ranking=self.ranking[kept],
        )

    def without(self, movies: MovieLists) -> "Rankings":
        """The same rankings with some movies of each example taken out, the others closing up."""
        out = movies.contains(self.ranking)
        order = np.argsort(out, axis=1, kind="stable")
        kept = np.where(out, -1, self.ranking)
        return replace(self, ranking=np.take_along_axis(kept, order, axis=1))

    def with_labels(self, labels: MovieLists) -> "Rankings":
        """The same rankings against other labels; examples without any are left out."""
        return replace(self, labels=labels).keep(labels.lengths > 0)


def new(rankings: Rankings) -> Rankings:
    """Only movies that the request does not mention, in labels and rankings.

    Examples left with no label are dropped. A ranking loses at most as many places as its request
    mentions movies, 17 in ReDial, so that the first 50 are there still.

    Raises:
        UserError: A request mentions more distinct movies than DEPTH - NEEDED.
    """
    mentioned = rankings.mentions.distinct().lengths
    if mentioned.max(initial=0) > DEPTH - NEEDED:
        row = mentioned.argmax()
        raise UserError(
            f"reading {rankings.reading}: a request of conversation "
            f"{rankings.conversation_id[row]} mentions {mentioned[row]} movies, but a ranking of "
            f"{DEPTH} can be scored without {DEPTH - NEEDED} of them at most; shorten that "
            "conversation in the corpus that section redial names, or take it out there"
        )
    left = rankings.labels.keep_values(~rankings.labels.isin(rankings.mentions))
    return rankings.without(rankings.mentions).with_labels(left)


def fresh(turns: Rankings) -> Rankings:
    """:func:`new` for the per-turn reading, whose requests are all that both have said so far.

    Its mentions are therefore all movies that either has mentioned before (Kostric and Balog,
    SIGIR 2026).
    """
    return new(turns)


def _padded(rows: MovieLists) -> NDArray[np.int32]:
    matrix = np.full((len(rows), DEPTH), -1, dtype=np.int32)
    matrix[rows.row_of_value, rows.place_of_value] = rows.values
    return matrix
