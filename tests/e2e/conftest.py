"""The stack with a vehicle on its serial line: embedded, or the real ArduCopter if it is here.

For the console: `ready`, a drone on the ground for all tests of a module, and a `browser` at its
gateway. A module that needs another drone has a `ready` of its own.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack, running
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot, Line, Vehicle

VEHICLES = [
    pytest.param(EmbeddedAutopilot, id="embedded", marks=pytest.mark.e2e),
    pytest.param(ArduCopter, id="arducopter", marks=[pytest.mark.e2e, pytest.mark.ardupilot]),
]


@pytest.fixture(scope="module", params=VEHICLES)
def vehicle(request, tmp_path_factory) -> Iterator[Vehicle]:
    """A vehicle that all flights of one module share: each leaves it disarmed."""
    kind = request.param
    if issubclass(kind, ArduCopter) and ArduCopter.binary() is None:
        pytest.skip("no ArduCopter SITL: set SEKISHO_ARDUCOPTER or have `arducopter` on PATH")
    vehicle = kind(tmp_path_factory.mktemp("vehicle"))
    yield vehicle
    vehicle.stop()
    print(vehicle.output[-3000:])


@pytest.fixture
def stack(vehicle, tmp_path) -> Iterator[Stack]:
    """Companion and gateway, linked, with the vehicle on the line."""
    stack = Stack(tmp_path, vehicle.device)
    try:
        stack.start()
        stack.await_link()
        stack.await_autopilot()
        yield stack
    finally:
        print(stack.report())


@pytest.fixture
def line() -> Iterator[Line]:
    """A serial line whose far end, where the autopilot would be, the test holds."""
    line = Line()
    yield line
    line.close()


@pytest.fixture
def bench(line, tmp_path) -> Iterator[Stack]:
    """Companion and gateway, not started, with the test itself in the autopilot's place."""
    stack = Stack(tmp_path, line.device)
    yield stack
    print(stack.report())


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Iterator[Stack]:
    # Not faster: braking would look to the companion as if the position jumped.
    vehicle = EmbeddedAutopilot(tmp_path_factory.mktemp("vehicle"), speedup=1, ekf_ready_s=1)
    with running(Stack(tmp_path_factory.mktemp("stack"), vehicle.device), vehicle) as stack:
        yield stack


@pytest.fixture(scope="module")
def driver():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright")
    from tests.e2e.browser import PATIENCE_MS  # noqa: PLC0415 - it needs playwright

    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as started:
        yield started


@pytest.fixture
def browser(driver, ready):
    """A browser whose pages ask for nothing outside, and have nothing to complain of."""
    from tests.e2e.browser import Browser  # noqa: PLC0415 - it needs playwright

    with Browser(driver, ready) as browser:
        yield browser
        browser.check()
