"""What happens on the page when its events overlap, as they do on a slow machine."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import gradio as gr
import pytest

from stages.recommender.errors import UserError
from stages.recommender.serving.api_batches import BusyError
from stages.recommender.serving.api_service import Service
from stages.recommender.serving.catalogue import Movie
from stages.recommender.serving.linking import LinkedMention
from stages.recommender.serving.recommender import Answer, Request
from stages.recommender.serving.web_page import Corrections, Events, Visit, page

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


def test_a_movie_stays_removed_only_while_the_text_names_it() -> None:
    async def happens(events: Events, _: SlowService, visit: Visit) -> list[Any]:
        visit.corrections = Corrections().without(ALIEN.redial_id).with_movie(TOYS)
        edited = await events.write(TEXT + ", please", visit, "first")
        another = await events.write("Finding Nemo", visit, "first")
        return [edited, another, await events.write("Alien", visit, "first")]

    (edited, another, again), visit = run(happens)
    assert "Alien" not in edited
    assert "Finding Nemo" in edited
    assert "Alien" not in another
    assert "Alien" in again
    assert "Toy Story" in again
    assert visit.corrections == Corrections(added=(TOYS,))


def test_a_text_that_is_understood_late_brings_no_removed_movie_back() -> None:
    class SlowToUnderstand(SlowService):
        async def understand(self, text: str, model: str) -> list[LinkedMention]:
            await self._told()
            return await super().understand(text, model)

    async def happens() -> tuple[Any, Visit]:
        service, visit = SlowToUnderstand(), Visit()
        events = Events(cast(Service, service))
        written = asyncio.create_task(events.write("Finding Nemo", visit, "first"))
        while not service.waiting:
            await asyncio.sleep(0)
        removed = asyncio.create_task(events.remove(pressed(ALIEN), TEXT, visit, *CHOICES))
        while len(service.waiting) < 2:
            await asyncio.sleep(0)
        service.waiting[0].set_result(None)
        shown = await written
        service.waiting[1].set_result(None)
        await removed
        return shown, visit

    shown, visit = asyncio.run(happens())
    assert shown == NOTHING
    assert visit.corrections.removed == {ALIEN.redial_id}


@pytest.mark.parametrize(
    ("error", "told"),
    [(BusyError(), "too many requests wait"), (UserError("no model a is trained"), "no model a")],
)
def test_a_movie_that_cannot_be_looked_up_is_told(error: Exception, told: str) -> None:
    class Refuses(SlowService):
        async def movie(self, redial_id: int, model: str) -> Movie | None:
            raise error

    visit = Visit()
    events = Events(cast(Service, Refuses()))
    shown = asyncio.run(events.add(pressed(TOYS), TEXT, visit, *CHOICES))
    assert shown[:3] == [NOTHING, NOTHING, NOTHING]
    assert told in shown[3]
    assert visit.corrections == Corrections()


def test_no_event_passes_through_the_queue_whose_stream_may_close_before_it() -> None:
    events = page(cast(Service, SlowService())).get_config_file()["dependencies"]
    assert len(events) > 10
    assert [event["targets"] for event in events if event["queue"] is not False] == []
