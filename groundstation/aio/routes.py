"""Makes and judges trajectories of routes in a thread: the links of all drones go on meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from groundstation.plan.desk import Desk
from groundstation.plan.judge import judged
from groundstation.plan.model import PlanError
from groundstation.plan.route import Made, Make, Route
from wire.aio.alarm import monotonic_ns


class Routes:
    """One after the other. `close` lets go of what has not begun."""

    def __init__(self, desk: Desk, make: Make, on_made: Callable[[], None]) -> None:
        self._desk = desk
        self._make = make
        self._on_made = on_made
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trajectories")

    def begin(self) -> None:
        """Begin to make what is wanted."""
        for name, route in self._desk.outgoing_routes():
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._executor, self._made, route)
            future.add_done_callback(partial(self._finish, name))

    def close(self) -> None:
        """Stop at once."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _made(self, route: Route) -> Made | str:
        try:
            return judged(route, self._make)
        except PlanError as error:
            return str(error)

    def _finish(self, name: str, future: "asyncio.Future[Made | str]") -> None:
        if future.cancelled():
            return
        made = future.result()
        if isinstance(made, str):
            self._desk.failed(name, made)
        else:
            self._desk.made(name, made, monotonic_ns())
        self._on_made()
