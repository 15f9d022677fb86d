"""The join of ReDial's movies to MovieLens: by rules, the surest first.

A movie that no rule is sure of stays unmatched, since a wrong match teaches a model the tags of
another movie, while a missing one only leaves some out.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial

from stages.recommender.movies import same_title, similar_title, titles
from stages.recommender.movies.keys import Name
from stages.recommender.movies.movielens import Entry, MovieLensIndex

Rule = Callable[[Name, MovieLensIndex], Entry | None]

NO_MATCH = "none"
SAME_ID = "id"


@dataclass(frozen=True)
class Match:
    """What a ReDial movie is joined to.

    Attributes:
        movie_id: The MovieLens id; ``None`` where no rule is sure of one.
        rule: The name of the rule that joined it, :data:`NO_MATCH` where none did.
    """

    movie_id: int | None
    rule: str


def title_rules(fuzzy_threshold: float) -> dict[str, Rule]:
    """The rules by name, in the order in which they are tried.

    Args:
        fuzzy_threshold: Least similarity, 0 to 100, for the rule ``fuzzy``.
    """
    return {
        "exact": same_title.exact,
        "title": same_title.title,
        "alternative": same_title.alternative,
        "year_off_by_one": same_title.year_off_by_one,
        "name_without_year": same_title.name_without_year,
        "movie_without_year": same_title.movie_without_year,
        "part_of_title": similar_title.part_of_title,
        "beginning_without_year": similar_title.beginning_without_year,
        "number_left_out": similar_title.number_left_out,
        "sequel_number": similar_title.sequel_number,
        "fuzzy": partial(similar_title.fuzzy, threshold=fuzzy_threshold),
        "year_off_by_three": same_title.year_off_by_three,
    }


def match_by_title(
    names: Iterable[titles.ParsedTitle], index: MovieLensIndex, fuzzy_threshold: float
) -> list[Match]:
    """Join ReDial's movies to MovieLens by title and year.

    Args:
        names: The movies' names as ReDial gives them, parsed; no title where it gives none.
        index: MovieLens' movies.
        fuzzy_threshold: Least similarity, 0 to 100, of two titles of one year.

    Returns:
        A match for each name, in the order of the names.
    """
    rules = title_rules(fuzzy_threshold)
    return [_match(Name(name), index, rules) for name in names]


def match_by_id(redial_ids: Iterable[int], movielens_ids: Collection[int]) -> list[Match]:
    """Join movies whose ids are the same number, which have nothing to do with each other.

    It is the mistake of the published notebook, kept so that its figures can be had again.
    """
    known = frozenset(movielens_ids)
    return [
        Match(movie_id, SAME_ID) if movie_id in known else Match(None, NO_MATCH)
        for movie_id in redial_ids
    ]


def _match(name: Name, index: MovieLensIndex, rules: dict[str, Rule]) -> Match:
    if name.key:
        for rule, find in rules.items():
            entry = find(name, index)
            if entry is not None:
                return Match(entry.movie_id, rule)
    return Match(None, NO_MATCH)
