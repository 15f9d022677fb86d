"""Requests that wait at the same time, answered by a model that tells what it was asked."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from stages.recommender.errors import UserError
from stages.recommender.serving import api_batches
from stages.recommender.serving.api_batches import MOST_WAITING, Batches, BusyError
from stages.recommender.serving.recommender import Answer, Request
from stages.recommender.serving.web import _MOST_CONNECTIONS


class Model:
    """Answers when it is let go, and keeps how many requests were asked together."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.together: list[int] = []
        self.go = threading.Event()
        self.loaded = 0
        self.problem = problem

    def __call__(self, name: str) -> "Model":
        self.loaded += 1
        if self.problem is not None:
            raise self.problem
        return self

    def check(self, request: Request) -> None:
        if request.k < 1:
            raise UserError("too few")
        if request.k > 100:
            raise ValueError("unforeseen")

    def recommend_batch(self, requests: Sequence[Request]) -> list[Answer]:
        self.go.wait(60)
        self.together.append(len(requests))
        return [Answer(request.text, [], []) for request in requests]


async def settled(*asked: Coroutine[Any, Any, Any]) -> list[Any]:
    return await asyncio.gather(*asked, return_exceptions=True)


def test_a_request_that_cannot_be_answered_leaves_the_others_together() -> None:
    async def happens(model: Model) -> list[Any]:
        model.go.set()
        batches = Batches(model)
        ks = {3: 0, 5: 101}
        asked = [Request(str(number), k=ks.get(number, 1)) for number in range(8)]
        answers = await settled(*(batches.answer("a", request) for request in asked))
        batches.close()
        return answers

    model = Model()
    answers = asyncio.run(happens(model))
    assert [getattr(answer, "text", str(answer)) for answer in answers] == [
        *("0", "1", "2", "too few", "4", "unforeseen", "6", "7"),
    ]
    # all were asked before the first batch was taken
    assert model.together == [6]


def test_a_model_that_cannot_be_loaded_is_tried_once_for_all() -> None:
    async def happens(model: Model) -> list[Any]:
        batches = Batches(model)
        answers = await settled(*(batches.answer("a", Request("hi")) for _ in range(5)))
        batches.close()
        return answers

    model = Model(UserError("damaged"))
    assert [str(answer) for answer in asyncio.run(happens(model))] == ["damaged"] * 5
    assert model.loaded == 1


@pytest.mark.parametrize("kind", ["answer", "run"])
def test_who_asks_when_too_many_wait_is_told(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request is being answered, two wait, of which one is a call of another kind."""
    monkeypatch.setattr(api_batches, "MOST_WAITING", 2)

    async def happens(model: Model) -> list[Any]:
        batches = Batches(model)
        first = asyncio.create_task(batches.answer("a", Request("first")))
        while batches._waiting or not model.loaded:
            await asyncio.sleep(0)
        waiting = [
            asyncio.create_task(batches.answer("a", Request("second"))),
            asyncio.create_task(batches.run(str, 3)),
        ]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await (batches.answer("a", Request("hi")) if kind == "answer" else batches.run(str))
        model.go.set()
        answers = await asyncio.gather(first, *waiting)
        after = [await batches.run(str, 4), (await batches.answer("a", Request("last"))).text]
        batches.close()
        return [answers[0].text, answers[1].text, answers[2], *after]

    assert asyncio.run(happens(Model())) == ["first", "second", "3", "4", "last"]


def test_more_connections_are_taken_than_may_wait_and_be_answered() -> None:
    assert MOST_WAITING + api_batches.LARGEST_BATCH < _MOST_CONNECTIONS
