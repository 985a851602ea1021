"""The stack with a vehicle on its serial line: embedded, or the real ArduCopter if it is here."""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack
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
