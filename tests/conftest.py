"""Shared parts of the tests: real ends of the link on a clock that the test moves."""

import random

import pytest

from crypto.pair import Identity, PairNames, Role, pair_in_lab


@pytest.fixture
def random_bytes():
    """Reproducible bytes: a test that fails fails again."""
    return random.Random(20261121).randbytes


@pytest.fixture
def pair(random_bytes):
    """The drone's and the ground's record of one commander pair."""
    drone, ground = Identity.create(random_bytes), Identity.create(random_bytes)
    return pair_in_lab(
        drone, ground, PairNames("tsubame-1", "station-a", Role.COMMANDER), random_bytes
    )
