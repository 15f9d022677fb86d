"""What happens on the page when its events overlap, as they do on a slow machine."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import gradio as gr

from stages.recommender.serving.api_service import Service
from stages.recommender.serving.catalogue import Movie
from stages.recommender.serving.linking import LinkedMention
from stages.recommender.serving.recommender import Answer, Request
from stages.recommender.serving.web_page import Events, Visit, page

ALIEN, NEMO, TOYS = (
    Movie(number, number + 100, title, 1990 + number, None)
    for number, title in enumerate(("Alien", "Finding Nemo", "Toy Story"))
)
TEXT = "Alien, Finding Nemo"
CHOICES = ("first", "", 5, True)
NOTHING = gr.skip()


def mention(movie: Movie) -> LinkedMention:
    return LinkedMention(movie=movie, surface=movie.title, span=None, how="given", confidence=1.0)


class SlowService:
    """Answers when it is told to, in any order."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []

    async def understand(self, text: str, model: str) -> list[LinkedMention]:
        return [mention(movie) for movie in (ALIEN, NEMO) if movie.title in text]

    async def movie(self, redial_id: int, model: str) -> Movie | None:
        return next((m for m in (ALIEN, NEMO, TOYS) if m.redial_id == redial_id), None)

    async def search(self, query: str, k: int, model: str) -> list[Movie]:
        await self._told()
        return [movie for movie in (ALIEN, NEMO, TOYS) if query in movie.title]

    async def recommend(self, request: Request, model: str) -> tuple[str, Answer]:
        await self._told()
        meant = (ALIEN, NEMO, TOYS)
        ids = [m.redial_id for m in (ALIEN, NEMO)] if request.mentions is None else request.mentions
        mentions = [mention(movie) for movie in meant if movie.redial_id in ids]
        return model, Answer(request.text, mentions, [])

    async def _told(self) -> None:
        self.waiting.append(asyncio.get_running_loop().create_future())
        await self.waiting[-1]


class Pressed:
    """A chip's button was pressed."""

    def __init__(self, movie: Movie) -> None:
        self._data = {"movie": movie.redial_id}


def run(
    happens: Callable[[Events, SlowService, Visit], Coroutine[Any, Any, list[Any]]],
) -> tuple[list[Any], Visit]:
    service, visit = SlowService(), Visit()
    given = asyncio.run(happens(Events(cast(Service, service)), service, visit))
    return given, visit


async def overlapping(
    service: SlowService, order: list[int], *events: Coroutine[Any, Any, Any]
) -> list[Any]:
    """What events show that begin one after another and are answered in another order."""
    tasks = []
    for event in events:
        tasks.append(asyncio.create_task(event))
        while len(service.waiting) < len(tasks):
            await asyncio.sleep(0)
    for number in order:
        service.waiting[number].set_result(None)
        await asyncio.wait([tasks[number]])
    return [task.result() for task in tasks]


def pressed(movie: Movie) -> gr.EventData:
    return cast(gr.EventData, Pressed(movie))


def test_two_corrections_at_once_are_both_kept_and_the_later_one_is_shown() -> None:
    async def happens(events: Events, service: SlowService, visit: Visit) -> list[Any]:
        visit.asked = True
        return await overlapping(
            service,
            [1, 0],
            events.remove(pressed(ALIEN), TEXT, visit, *CHOICES),
            events.add(pressed(TOYS), TEXT, visit, *CHOICES),
        )

    (removed, added), visit = run(happens)
    assert removed == [NOTHING, NOTHING]
    assert added[:2] == ["", ""]
    assert "Alien" not in added[2]
    assert "Finding Nemo" in added[2]
    assert "Toy Story" in added[2]
    assert visit.corrections.removed == {ALIEN.redial_id}
    assert visit.corrections.added == (TOYS,)


def test_writing_on_takes_no_answer_away() -> None:
    async def happens(events: Events, service: SlowService, visit: Visit) -> list[Any]:
        asked = asyncio.create_task(events.ask(TEXT, visit, *CHOICES))
        while not service.waiting:
            await asyncio.sleep(0)
        written = await events.write(TEXT.replace("Alien", ""), visit, "first")
        service.waiting[0].set_result(None)
        return [written, await asked]

    (written, (chips, answers)), visit = run(happens)
    assert "Alien" not in written
    assert chips == NOTHING
    assert "<section" in answers
    assert visit.asked


def test_what_was_found_for_an_earlier_query_is_not_shown() -> None:
    async def happens(events: Events, service: SlowService, visit: Visit) -> list[Any]:
        return await overlapping(
            service,
            [1, 0],
            events.search("Al", visit, "first"),
            events.search("Toy", visit, "first"),
        )

    (earlier, later), _ = run(happens)
    assert earlier == NOTHING
    assert "Toy Story" in later


def test_an_empty_request_forgets_its_corrections() -> None:
    async def happens(events: Events, _: SlowService, visit: Visit) -> list[Any]:
        visit.corrections = visit.corrections.without(ALIEN.redial_id)
        return [await events.write("  ", visit, "first")]

    (shown,), visit = run(happens)
    assert shown == ""
    assert visit == Visit(chips=visit.chips, answers=visit.answers, found=visit.found)


def test_no_event_passes_through_the_queue_whose_stream_may_close_before_it() -> None:
    events = page(cast(Service, SlowService())).get_config_file()["dependencies"]
    assert len(events) > 10
    assert [event["targets"] for event in events if event["queue"] is not False] == []
