"""One thread for calls that block, so that the event loop never blocks."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Runs calls one after the other, in their order.

    The thread is a daemon: a server that does not answer cannot keep the program from ending, as
    it could with an executor of the standard library.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run_jobs, name=name, daemon=True).start()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in the thread; a cancelled caller does not stop it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                answer: Callable[[], None] = _unless_done(future, future.set_exception, error)
            else:
                answer = _unless_done(future, future.set_result, result)
            with contextlib.suppress(RuntimeError):  # the loop has ended and no caller waits
                loop.call_soon_threadsafe(answer)

        self._jobs.put(job)
        return await future

    def post(self, function: Callable[[], None]) -> None:
        """Call `function`, which must not fail, in its turn; the caller does not wait for it."""
        self._jobs.put(function)

    def stop(self) -> None:
        """End the thread after the calls that wait."""
        self._jobs.put(None)

    def _run_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _unless_done(
    future: "asyncio.Future[Any]", setter: Callable[[Any], None], value: object
) -> Callable[[], None]:
    def answer() -> None:
        if not future.done():
            setter(value)

    return answer
