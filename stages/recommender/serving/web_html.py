"""The parts of the page that Gradio has no component for, as HTML in which all text is escaped.

They are put into the page as whole values of ``gr.HTML``, never through its own templates: those
let a backquote or ``${`` in a title run as code.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.recommender.serving.catalogue import Movie
from stages.recommender.serving.linking import LinkedMention
from stages.recommender.serving.recommender import Answer, Recommendation

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_MOST_TAGS, _MOST_CAUSES = 6, 3


class Chip(NamedTuple):
    """A movie with a button."""

    redial_id: int
    name: str
    written: str
    """How the text writes it, where that is not how it is called."""


class Shown(NamedTuple):
    """A recommended movie as the page shows it."""

    movie: Recommendation
    name: str
    elsewhere: int | None
    """Its rank in the list beside."""


def heading(title: str) -> str:
    """What stands above all else."""
    return _TEMPLATES.get_template("web_heading.html.jinja").render(title=title)


def mentioned(mentions: Iterable[LinkedMention], added: Iterable[Movie] = ()) -> str:
    """The movies that a request mentions, each with a button to remove it.

    Args:
        mentions: Found in its text.
        added: Named by hand.
    """
    chips = [Chip(each.movie.redial_id, each.movie.name, _written(each)) for each in mentions] + [
        Chip(movie.redial_id, movie.name, "") for movie in added
    ]
    distinct = list({chip.redial_id: chip for chip in reversed(chips)}.values())[::-1]
    return _chips(distinct, "Remove", "The movies it understood")


def found(movies: Iterable[Movie]) -> str:
    """The movies that a search found, each with a button to add it."""
    chips = [Chip(movie.redial_id, movie.name, "") for movie in movies]
    return _chips(chips, "Add", "Movies to add")


def answers(given: Sequence[tuple[str, Answer]]) -> str:
    """Ranked movies with reasons.

    Args:
        given: One answer, or two to show side by side, each with the name of its model.
    """
    ranks = [
        {movie.redial_id: movie.rank for movie in answer.recommendations} for _, answer in given
    ]
    lists = []
    for place, (model, answer) in enumerate(given):
        other = ranks[1 - place] if len(ranks) == 2 else {}
        shown = [
            Shown(movie, movie_name(movie), other.get(movie.redial_id))
            for movie in answer.recommendations
        ]
        lists.append((model, shown))
    template = _TEMPLATES.get_template("web_answers.html.jinja")
    return template.render(lists=lists, most_tags=_MOST_TAGS, most_causes=_MOST_CAUSES)


def notice(sentence: str) -> str:
    """One sentence to be read before all else."""
    return _TEMPLATES.get_template("web_notice.html.jinja").render(sentence=sentence)


def movie_name(movie: Recommendation) -> str:
    """Title and year, as a reader knows a movie."""
    title = movie.title or f"movie {movie.redial_id}"
    return title if movie.year is None else f"{title} ({movie.year})"


def _written(mention: LinkedMention) -> str:
    known = {mention.movie.title.casefold(), mention.movie.name.casefold()}
    return "" if mention.surface.casefold() in known else mention.surface


def _chips(chips: Sequence[Chip], verb: str, label: str) -> str:
    if not chips:
        return ""
    template = _TEMPLATES.get_template("web_chips.html.jinja")
    return template.render(chips=chips, verb=verb, label=label)
