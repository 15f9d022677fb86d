"""Requests that wait at the same time are answered together.

A batch of requests takes the encoder far less time than its requests one after the other, so
nobody waits for a batch to fill: while one is being answered, the next one gathers.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, TypeVar

from stages.recommender.serving.recommender import Answer, Request

LARGEST_BATCH = 32
MOST_WAITING = 256

P = ParamSpec("P")
T = TypeVar("T")


class BusyError(Exception):
    """More requests wait than can soon be answered."""


class _Waiting(NamedTuple):
    model: str
    request: Request
    answer: "asyncio.Future[Answer]"


class Batches:
    """Answers requests in one thread of its own, as many at once as wait.

    Args:
        recommend: Answers requests by the model of a name, in their order.
    """

    def __init__(self, recommend: Callable[[str, Sequence[Request]], list[Answer]]) -> None:
        self._recommend = recommend
        self._waiting: deque[_Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recommender")
        self._worker: asyncio.Task[None] | None = None

    async def answer(self, model: str, request: Request) -> Answer:
        """Answer one request.

        Raises:
            UserError: The request or the model is not as it should be.
            BusyError: Too many wait already.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise BusyError
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(model, request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something else in the thread that answers, so that nothing runs beside it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """End the thread once it has answered what it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        while self._waiting:
            model, batch = self._next_batch()
            answers = await self.run(self._answers, model, [each.request for each in batch])
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
            return [*self._recommend(model, requests)]
        except Exception as error:
            if len(requests) == 1:
                return [error]
            return [answer for each in requests for answer in self._answers(model, [each])]
