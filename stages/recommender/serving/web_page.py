"""The page: a request, the movies understood in it as chips, and ranked movies with reasons."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
# Asked and answered in one exchange: through Gradio's queue an answer comes by a stream that the
# server closes when nothing waits, and an event that joins just then is never answered.
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
_LATEST: dict[str, Any] = {**_QUIET, "trigger_mode": "always_last"}
_EACH: dict[str, Any] = {**_QUIET, "trigger_mode": "multiple"}
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
    """

    removed: frozenset[int] = frozenset()
    added: tuple[Movie, ...] = ()

    def without(self, redial_id: int) -> "Corrections":
        """As if a movie had not been mentioned."""
        added = tuple(movie for movie in self.added if movie.redial_id != redial_id)
        return replace(self, removed=self.removed | {redial_id}, added=added)

    def with_movie(self, movie: Movie) -> "Corrections":
        """As if a movie had been mentioned."""
        removed = self.removed - {movie.redial_id}
        return replace(self.without(movie.redial_id), removed=removed, added=(*self.added, movie))

    def kept(self, named: Iterable[LinkedMention]) -> list[LinkedMention]:
        """Those movies named in a text that are not removed."""
        return [mention for mention in named if mention.movie.redial_id not in self.removed]

    def for_text(self, named: Iterable[int]) -> "Corrections":
        """What is left of them for a text, by the ReDial ids of the movies that it names.

        A movie stays removed only while the text names it: when it is named again, that is
        another request.
        """
        return replace(self, removed=self.removed.intersection(named))


class Latest:
    """A part of the page that several events fill, of which the one that began last counts."""

    def __init__(self) -> None:
        self._last = 0

    def begin(self) -> int:
        """An event begins; its number."""
        self._last += 1
        return self._last

    def is_last(self, number: int) -> bool:
        """Whether no event has begun since one."""
        return number == self._last

    def shown(self, number: int, content: str) -> Any:
        """What an event fills the part with: nothing where a later one has begun meanwhile."""
        return content if self.is_last(number) else gr.skip()


@dataclass
class Visit:
    """A page that is open, which all that happens on it shares.

    Events overlap. They change it without waiting for anything, so that none undoes another.

    Attributes:
        corrections: Of what was understood.
        asked: Whether an answer is shown, which then follows every further choice.
        chips: The movies that were understood.
        answers: Of the models.
        found: Movies to add.
    """

    corrections: Corrections = Corrections()
    asked: bool = False
    chips: Latest = field(default_factory=Latest)
    answers: Latest = field(default_factory=Latest)
    found: Latest = field(default_factory=Latest)


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

    async def write(self, text: str, visit: Visit, model: str) -> Any:
        """The request is being written: chips."""
        number = visit.chips.begin()
        if not text.strip():
            visit.corrections = Corrections()
            return ""
        try:
            named = await self._named(text, model)
        except (UserError, BusyError):
            return gr.skip()  # told when an answer is asked for
        if visit.chips.is_last(number):
            movies = [mention.movie.redial_id for mention in named]
            visit.corrections = visit.corrections.for_text(movies)
        understood = visit.corrections.kept(named)
        return visit.chips.shown(number, web_html.mentioned(understood, visit.corrections.added))

    async def ask(self, text: str, visit: Visit, *choices: Any) -> list[Any]:
        """An answer is wanted: chips and answers."""
        visit.asked = True
        return await self.follow(text, visit, *choices)

    async def ask_example(self, text: str, visit: Visit, *choices: Any) -> list[Any]:
        """An example was chosen: chips and answers, nothing kept from before."""
        visit.corrections = Corrections()
        return await self.ask(text, visit, *choices)

    async def follow(self, text: str, visit: Visit, *choices: Any) -> list[Any]:
        """A correction or another choice: chips, and answers where they are shown."""
        if not visit.asked:
            return [await self.write(text, visit, choices[0]), gr.skip()]
        chips, answers = visit.chips.begin(), visit.answers.begin()
        try:
            given = await self._answers(text, visit.corrections, *choices)
        except (UserError, ValidationError, BusyError) as error:
            return [gr.skip(), visit.answers.shown(answers, web_html.notice(_told(error)))]
        return [
            visit.chips.shown(chips, web_html.mentioned(given[0][1].mentions)),
            visit.answers.shown(answers, web_html.answers(given)),
        ]

    async def remove(
        self, event: gr.EventData, text: str, visit: Visit, *choices: Any
    ) -> list[Any]:
        """A chip's button was pressed: what :meth:`follow` gives."""
        visit.corrections = visit.corrections.without(_movie_of(event))
        return await self.follow(text, visit, *choices)

    async def search(self, query: str, visit: Visit, model: str) -> Any:
        """A title is being written: movies to add."""
        number = visit.found.begin()
        wanted = query.strip()[:_LONGEST_QUERY]
        try:
            movies = await self.service.search(wanted, _FOUND, model) if wanted else []
        except (UserError, BusyError):
            movies = []
        return visit.found.shown(number, web_html.found(movies))

    async def add(self, event: gr.EventData, text: str, visit: Visit, *choices: Any) -> list[Any]:
        """A movie that was found is added: query and finds emptied, and as :meth:`follow`.

        Where it cannot be looked up, both stay, and why is told in the place of the answers.
        """
        visit.found.begin()
        try:
            movie = await self.service.movie(_movie_of(event), choices[0])
        except (UserError, BusyError) as error:
            told = visit.answers.shown(visit.answers.begin(), web_html.notice(_told(error)))
            return [gr.skip(), gr.skip(), gr.skip(), told]
        if movie is not None:
            visit.corrections = visit.corrections.with_movie(movie)
        return ["", "", *await self.follow(text, visit, *choices)]

    async def _understood(
        self, text: str, corrections: Corrections, model: str
    ) -> list[LinkedMention]:
        return corrections.kept(await self._named(text, model))

    async def _named(self, text: str, model: str) -> list[LinkedMention]:
        return await self.service.understand(text[:LONGEST_TEXT], model)

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
        given = []
        for name in [model, other] if other and other != model else [model]:
            body = RecommendRequest(
                text=text,
                mentions=mentions and await self._known(mentions, name),
                k=count,
                exclude_mentioned=exclude,
            )
            given.append(await self.service.recommend(body.request(), name))
        return given

    async def _known(self, mentions: list[int], model: str) -> list[int]:
        """Those that a model has: a movie added by hand is only in models that read its text."""
        return [movie for movie in mentions if await self.service.movie(movie, model)]


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
            visit = gr.State(Visit())
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

        request = [text, visit, model, other, count, exclude]
        shown = [chips, answers]
        blocks.load(events.open, None, [notice, below, model, other], **_QUIET)
        text.input(events.write, [text, visit, model], chips, **_LATEST)
        query.input(events.search, [query, visit, model], found, **_LATEST)
        chips.click(events.remove, request, shown, **_EACH)
        found.click(events.add, request, [query, found, *shown], **_EACH)
        gr.on([text.submit, ask.click], events.ask, request, shown, **_LATEST)
        gr.on(
            [model.input, other.input, count.input, exclude.input],
            events.follow,
            request,
            shown,
            **_LATEST,
        )
        for button, example in zip(examples, EXAMPLE_REQUESTS, strict=True):
            button.click(lambda written=example: written, None, text, **_LATEST).then(
                events.ask_example, request, shown, **_LATEST
            )
    blocks.queue(api_open=False)
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
