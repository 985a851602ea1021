"""Every case on the embedded autopilot, and on the real ArduCopter where there is one.

To be tried: an arming check left out, a COMMAND_LONG of another system obeyed, the fence
kept in force after DO_FENCE_ENABLE 0, a SmartRTL that flies straight home, log data one byte short.
"""

import contextlib
from pathlib import Path

import pytest

from tests.conformance import report
from tests.conformance.case import CASES
from tests.conformance.runner import Crew, load
from tests.e2e.vehicles import ArduCopter

DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"


@pytest.fixture(scope="module")
def embedded():
    with contextlib.closing(Crew("embedded")) as crew:
        yield crew


@pytest.fixture(scope="module")
def arducopter():
    if ArduCopter.binary() is None:
        pytest.skip("no ArduCopter SITL: set SEKISHO_ARDUCOPTER or have `arducopter` on PATH")
    with contextlib.closing(Crew("arducopter")) as crew:
        yield crew


# All of them are a command of its own, `python -m tests.conformance`, which takes longer than a
# check of everything may: here every sixth, so that each area has its share.
@pytest.mark.slow
@pytest.mark.parametrize("key", list(CASES)[::6])
def test_embedded(embedded, key):
    if key in load()["unflown"]:
        pytest.skip("recorded from ArduCopter only")
    assert embedded.fly(key) == report.expected("embedded", key)


@pytest.mark.slow
@pytest.mark.ardupilot
@pytest.mark.parametrize("key", list(CASES)[::6])
def test_arducopter(arducopter, key):
    assert arducopter.fly(key) == report.expected("arducopter", key)


def test_every_difference_is_explained():
    assert report.unexplained() == []


def test_the_document_is_of_these_cases():
    assert report.document() == DOCUMENT.read_text()
