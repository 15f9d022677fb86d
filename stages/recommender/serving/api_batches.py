"""Requests that wait at the same time are answered together.

A batch of requests takes the encoder far less time than its requests one after the other, so
nobody waits for a batch to fill: while one is being answered, the next one gathers.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, Protocol, TypeVar

from stages.recommender.serving.recommender import Answer, Request

LARGEST_BATCH = 32
MOST_WAITING = 128
"""Calls of all kinds; half the connections of a server, which refuses more than those itself and
tells less."""

P = ParamSpec("P")
T = TypeVar("T")


class BusyError(Exception):
    """More requests wait than can soon be answered."""


class Answering(Protocol):
    """A model that answers; see ``Recommender``."""

    def check(self, request: Request) -> None:
        """Raises ``UserError`` where it cannot answer a request; takes far less than an answer."""

    def recommend_batch(self, requests: Sequence[Request]) -> list[Answer]:
        """Answers requests, in their order."""


class _Waiting(NamedTuple):
    model: str
    request: Request
    answer: "asyncio.Future[Answer]"


class Batches:
    """Answers requests in one thread of its own, as many at once as wait.

    Args:
        model: The model of a name.
    """

    def __init__(self, model: Callable[[str], Answering]) -> None:
        self._model = model
        self._waiting: deque[_Waiting] = deque()
        self._running = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recommender")
        self._worker: asyncio.Task[None] | None = None

    async def answer(self, model: str, request: Request) -> Answer:
        """Answer one request.

        Raises:
            UserError: The request or the model is not as it should be.
            BusyError: Too many wait already.
        """
        self._refuse_more()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(model, request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something else in the thread that answers, so that nothing runs beside it.

        Raises:
            BusyError: Too many wait already.
        """
        self._refuse_more()
        self._running += 1
        try:
            return await self._in_thread(function, *args, **kwargs)
        finally:
            self._running -= 1

    def close(self) -> None:
        """End the thread once it has answered what it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _refuse_more(self) -> None:
        if len(self._waiting) + self._running >= MOST_WAITING:
            raise BusyError

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def _work(self) -> None:
        while self._waiting:
            model, batch = self._next_batch()
            answers = await self._in_thread(self._answers, model, [each.request for each in batch])
            for each, answer in zip(batch, answers, strict=True):
                if each.answer.done():  # whoever asked has left
                    continue
                if isinstance(answer, Answer):
                    each.answer.set_result(answer)
                else:
                    each.answer.set_exception(answer)

    def _next_batch(self) -> tuple[str, list[_Waiting]]:
        """The request that waits longest, with others for its model."""
        model = self._waiting[0].model
        batch: list[_Waiting] = []
        others: deque[_Waiting] = deque()
        for each in self._waiting:
            fits = each.model == model and len(batch) < LARGEST_BATCH
            (batch if fits else others).append(each)
        self._waiting = others
        return model, batch

    def _answers(self, model: str, requests: Sequence[Request]) -> list[Answer | Exception]:
        """An answer, or why there is none, for each; one that fails takes no other with it."""
        try:
            answering = self._model(model)
        except Exception as error:
            return [error] * len(requests)
        problems = [_problem(answering, request) for request in requests]
        sound = [
            request for request, problem in zip(requests, problems, strict=True) if problem is None
        ]
        answers = iter(_sound_answers(answering, sound))
        return [next(answers) if problem is None else problem for problem in problems]


def _problem(answering: Answering, request: Request) -> Exception | None:
    """Why a request cannot be answered: it would take all that it is answered with along."""
    try:
        answering.check(request)
    except Exception as error:
        return error
    return None


def _sound_answers(answering: Answering, requests: Sequence[Request]) -> list[Answer | Exception]:
    """Answers to requests that were checked; where they fail together nevertheless, one by one."""
    if not requests:
        return []
    try:
        return [*answering.recommend_batch(requests)]
    except Exception as error:
        if len(requests) == 1:
            return [error]
        return [answer for each in requests for answer in _sound_answers(answering, [each])]
