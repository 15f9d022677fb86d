"""The movies of ReDial: which there are, what they are called, how often they are mentioned."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from stages.recommender.corpora.mentions import mentioned_ids
from stages.recommender.errors import UserError
from stages.recommender.movies import titles

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Catalogue:
    """The movies of ReDial, one place a movie in each list.

    Attributes:
        redial_ids: ReDial ids, ascending; a movie's place is its index everywhere.
        names: The name of each, as given; ``None`` where no dialogue gives one.
        mentions: How often messages mention each.
    """

    redial_ids: list[int]
    names: list[str | None]
    mentions: list[int]


def build_catalogue(dialogues: Iterable[pa.Table]) -> Catalogue:
    """Collect the movies that dialogues mention in a message or list.

    Args:
        dialogues: Tables of ``artifacts.DIALOGUE_SCHEMA``, all splits.

    Raises:
        UserError: A message mentions an id that no 64-bit integer holds.
    """
    mentions: Counter[int] = Counter()
    names: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for table in dialogues:
        for batch in table.select(["conversation_id", "messages", "movies"]).to_batches():
            mentions.update(_mentions(batch))
            for movie_id, name, count in _listed(batch):
                names[movie_id].update({} if name is None else {name: count})
    redial_ids = sorted(mentions.keys() | names.keys())
    return Catalogue(
        redial_ids=redial_ids,
        names=[best_name(names.get(movie_id, {})) for movie_id in redial_ids],
        mentions=[mentions[movie_id] for movie_id in redial_ids],
    )


def best_name(spellings: Mapping[str, int]) -> str | None:
    """The name to go by where dialogues spell a movie's name in several ways.

    One with a title before one without, then one with a year, then the most frequent, then the
    first in the order of the alphabet.

    Args:
        spellings: How often each spelling occurs.

    Returns:
        A spelling as given; ``None`` where there is none but blanks.
    """
    best = min(spellings, key=lambda name: _preference(name, spellings[name]), default=None)
    return best if best is not None and titles.clean(best) else None


def _preference(name: str, count: int) -> tuple[bool, bool, int, str]:
    parsed = titles.parse(name)
    return not parsed.title, parsed.year is None, -count, name


def _mentions(batch: pa.RecordBatch) -> Counter[int]:
    messages = batch["messages"]
    texts = pc.struct_field(pc.list_flatten(messages), "text")
    counts: Counter[int] = Counter()
    for place, text in enumerate(texts.to_pylist()):
        if text is None or "@" not in text:
            continue
        try:
            found = mentioned_ids(text)
        except ValueError:  # more digits than Python reads
            found = [LARGEST_ID + 1]
        if found and max(found) > LARGEST_ID:
            row = pc.list_parent_indices(messages)[place].as_py()
            raise UserError(
                f"dialogue {batch['conversation_id'][row]} mentions a movie by more digits than "
                f"any id has ({_excerpt(text)}); mend or remove that message in the corpus"
            )
        counts.update(found)
    return counts


def _listed(batch: pa.RecordBatch) -> list[tuple[int, str | None, int]]:
    movies = pc.list_flatten(batch["movies"])
    columns = {field: pc.struct_field(movies, field) for field in ("movie_id", "name")}
    counted = pa.table(columns).group_by(["movie_id", "name"], use_threads=False)
    rows = counted.aggregate([([], "count_all")]).to_pylist()
    return [
        (row["movie_id"], row["name"], row["count_all"])
        for row in rows
        if row["movie_id"] is not None
    ]


def _excerpt(text: str) -> str:
    start = text.index("@")
    return repr(text[start : start + 24])
