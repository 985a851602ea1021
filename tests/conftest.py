"""Shared parts of the tests: real ends of the link on a clock that the test moves."""

import random

import pytest
from hypothesis import HealthCheck, settings

from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.suites import SUITES

# How long an example takes tells of the machine and whoever shares it, not of the code. The rest
# stays as Hypothesis has it: new examples every time, the same ones where CI is set.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


def pytest_configure(config):
    """Give files to workers in order: by their number of tests the longest would be last."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.fixture
def random_bytes():
    """Reproducible bytes: a test that fails fails again."""
    return random.Random(20261121).randbytes


@pytest.fixture(params=SUITES.values(), ids=lambda suite: suite.name)
def suite(request):
    """Each profile a pair can be made with."""
    return request.param


@pytest.fixture
def pair(random_bytes, suite):
    """The drone's and the ground's record of one commander pair."""
    drone, ground = Identity.create(random_bytes), Identity.create(random_bytes)
    names = PairNames("tsubame-1", "station-a", Role.COMMANDER)
    return pair_in_lab(drone, ground, names, random_bytes, suite)
