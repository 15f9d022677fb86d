"""The page: a request, the movies understood in it as chips, and ranked movies with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from pydantic import ValidationError

from stages.recommender.errors import UserError
from stages.recommender.serving import web_html
from stages.recommender.serving.api import BUSY, sentence
from stages.recommender.serving.api_batches import BusyError
from stages.recommender.serving.api_schemas import LONGEST_TEXT, RecommendRequest
from stages.recommender.serving.api_service import Service
from stages.recommender.serving.catalogue import Movie
from stages.recommender.serving.linking import LinkedMention
from stages.recommender.serving.models_folder import TrainedModel
from stages.recommender.serving.recommender import Answer
from stages.recommender.serving.web_examples import EXAMPLE_REQUESTS

TITLE = "Ask for a movie"

_COUNTS = (5, 10, 20, 50)
_FOUND = 6
_READING = "new"
"""What the page does: it recommends movies that were not named."""
_LONGEST_QUERY = 100
_AT_ONCE, _MOST_WAITING = 32, 256
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_LATEST: dict[str, Any] = {**_QUIET, "trigger_mode": "always_last"}
_ON_CHIPS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-movie]');
  if (button) trigger('click', {movie: Number(button.dataset.movie)});
});
"""


@dataclass(frozen=True)
class Corrections:
    """What a reader changed in what was understood.

    Attributes:
        removed: ReDial ids of movies that the text names but does not mean.
        added: Movies that it means but does not name.
        asked: Whether an answer is shown, which then follows every further choice.
    """

    removed: frozenset[int] = frozenset()
    added: tuple[Movie, ...] = ()
    asked: bool = False

    def without(self, redial_id: int) -> "Corrections":
        """As if a movie had not been mentioned."""
        added = tuple(movie for movie in self.added if movie.redial_id != redial_id)
        return replace(self, removed=self.removed | {redial_id}, added=added)

    def with_movie(self, movie: Movie) -> "Corrections":
        """As if a movie had been mentioned."""
        removed = self.removed - {movie.redial_id}
        return replace(self.without(movie.redial_id), removed=removed, added=(*self.added, movie))


class Events:
    """What happens on the page, each event a method that gives what is shown then.

    ``choices`` are everywhere the model, the model beside it (empty for none), how many movies,
    and whether those mentioned are left out.

    Args:
        service: Answers.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def open(self) -> list[Any]:
        """The page opens: the notice, what stands below it, and both choices of a model."""
        try:
            trained = self.service.trained()
        except UserError as error:
            shown = gr.HTML(web_html.notice(str(error)), visible=True)
            return [shown, gr.Column(visible=False), gr.skip(), gr.skip()]
        models = [(_label(model), model.name) for model in trained]
        return [
            gr.HTML("", visible=False),
            gr.Column(visible=True),
            gr.Dropdown(models, value=trained[0].name),
            gr.Dropdown([("no other model", ""), *models], value=""),
        ]

    async def write(self, text: str, corrections: Corrections, model: str) -> list[Any]:
        """The request is being written: chips and corrections."""
        if not text.strip():
            return ["", replace(corrections, removed=frozenset(), added=())]
        try:
            understood = await self._understood(text, corrections, model)
        except (UserError, BusyError):
            return [gr.skip(), corrections]  # told when an answer is asked for
        return [web_html.mentioned(understood, corrections.added), corrections]

    async def ask(self, text: str, corrections: Corrections, *choices: Any) -> list[Any]:
        """An answer is wanted: chips, corrections and answers."""
        return await self.follow(text, replace(corrections, asked=True), *choices)

    async def ask_example(self, text: str, _: Corrections, *choices: Any) -> list[Any]:
        """An example was chosen: chips, corrections and answers, nothing kept from before."""
        return await self.ask(text, Corrections(), *choices)

    async def follow(self, text: str, corrections: Corrections, *choices: Any) -> list[Any]:
        """A correction or another choice: chips, corrections, and answers where they are shown."""
        if not corrections.asked:
            return [*await self.write(text, corrections, choices[0]), gr.skip()]
        try:
            answers = await self._answers(text, corrections, *choices)
        except (UserError, ValidationError, BusyError) as error:
            return [gr.skip(), corrections, web_html.notice(_told(error))]
        chips = web_html.mentioned(answers[0][1].mentions)
        return [chips, corrections, web_html.answers(answers)]

    async def remove(
        self, event: gr.EventData, text: str, corrections: Corrections, *choices: Any
    ) -> list[Any]:
        """A chip's button was pressed: what :meth:`follow` gives."""
        return await self.follow(text, corrections.without(_movie_of(event)), *choices)

    async def search(self, query: str, model: str) -> str:
        """A title is being written: movies to add."""
        try:
            return web_html.found(await self._found(query, model))
        except (UserError, BusyError):
            return ""

    async def add(
        self, event: gr.EventData, query: str, text: str, corrections: Corrections, *choices: Any
    ) -> list[Any]:
        """A movie that was found is added: query and finds emptied, and as :meth:`follow`."""
        wanted = _movie_of(event)
        for movie in await self._found(query, choices[0]):
            if movie.redial_id == wanted:
                corrections = corrections.with_movie(movie)
        return ["", "", *await self.follow(text, corrections, *choices)]

    async def _found(self, query: str, model: str) -> Sequence[Movie]:
        wanted = query.strip()[:_LONGEST_QUERY]
        return await self.service.search(wanted, _FOUND, model) if wanted else []

    async def _understood(
        self, text: str, corrections: Corrections, model: str
    ) -> list[LinkedMention]:
        found = await self.service.understand(text[:LONGEST_TEXT], model)
        return [each for each in found if each.movie.redial_id not in corrections.removed]

    async def _answers(
        self,
        text: str,
        corrections: Corrections,
        model: str,
        other: str,
        count: int,
        exclude: bool,
    ) -> list[tuple[str, Answer]]:
        mentions = None
        if corrections.removed or corrections.added:
            understood = await self._understood(text, corrections, model)
            movies = [*(each.movie for each in understood), *corrections.added]
            mentions = list(dict.fromkeys(movie.redial_id for movie in movies))
        body = RecommendRequest(text=text, mentions=mentions, k=count, exclude_mentioned=exclude)
        names = [model, other] if other and other != model else [model]
        return [await self.service.recommend(body.request(), name) for name in names]


def page(service: Service) -> gr.Blocks:
    """The page.

    Args:
        service: Answers what is asked on it.
    """
    events = Events(service)
    blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with blocks:
        gr.HTML(web_html.heading(TITLE))
        notice = gr.HTML(visible=False)
        with gr.Column(visible=False) as below:
            corrections = gr.State(Corrections())
            text = gr.Textbox(
                label="What would you like to watch?",
                placeholder="Say it in your own words, and name movies that you liked",
                lines=2,
                max_lines=6,
                max_length=LONGEST_TEXT,
                autofocus=True,
                elem_id="request",
            )
            chips = gr.HTML(js_on_load=_ON_CHIPS, elem_id="mentioned")
            with gr.Row(elem_id="asking"):
                query = gr.Textbox(
                    placeholder="Add a movie that it missed",
                    show_label=False,
                    label="Add a movie that it missed",
                    max_length=_LONGEST_QUERY,
                    container=False,
                    min_width=240,
                    elem_id="query",
                )
                ask = gr.Button("Recommend", variant="primary", min_width=240, elem_id="ask")
            found = gr.HTML(js_on_load=_ON_CHIPS, elem_id="found")
            with gr.Row(elem_id="examples"):
                examples = [
                    gr.Button(example, size="sm", min_width=1) for example in EXAMPLE_REQUESTS
                ]
            with gr.Row(elem_id="choices"):
                choice: dict[str, Any] = {"filterable": False, "min_width": 200}
                model = gr.Dropdown([], label="Model (nDCG@10)", elem_id="model", **choice)
                other = gr.Dropdown([], label="Beside it", elem_id="other", **choice)
                count = gr.Dropdown(_COUNTS, value=10, label="Movies", elem_id="count", **choice)
                exclude = gr.Checkbox(
                    True, label="Leave out what I named", min_width=200, elem_id="exclude"
                )
            answers = gr.HTML(elem_id="answers")

        request = [text, corrections, model, other, count, exclude]
        shown = [chips, corrections, answers]
        blocks.load(events.open, None, [notice, below, model, other], **_QUIET)
        text.input(events.write, [text, corrections, model], [chips, corrections], **_LATEST)
        query.input(events.search, [query, model], found, **_LATEST)
        chips.click(events.remove, request, shown, **_QUIET)
        found.click(events.add, [query, *request], [query, found, *shown], **_QUIET)
        gr.on([text.submit, ask.click], events.ask, request, shown, **_QUIET)
        gr.on(
            [model.input, other.input, count.input, exclude.input],
            events.follow,
            request,
            shown,
            **_LATEST,
        )
        for button, example in zip(examples, EXAMPLE_REQUESTS, strict=True):
            button.click(lambda written=example: written, None, text, **_QUIET).then(
                events.ask_example, request, shown, **_QUIET
            )
    blocks.queue(default_concurrency_limit=_AT_ONCE, max_size=_MOST_WAITING, api_open=False)
    return blocks


def _label(model: TrainedModel) -> str:
    score = model.scores.get(_READING, {}).get("ndcg@10")
    return model.name if score is None else f"{model.name} ({score:.3f})"


def _movie_of(event: gr.EventData) -> int:
    movie = event._data.get("movie") if isinstance(event._data, dict) else None
    if not isinstance(movie, int):
        raise gr.Error("that button names no movie")
    return movie


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return sentence(error.errors())
    return BUSY if isinstance(error, BusyError) else str(error)
