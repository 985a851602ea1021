"""The vehicles that ground software from PyPI must fly unchanged."""

import pytest

from tests.e2e.vehicles import ArduCopter, ArduCopterOnOurPhysics, EmbeddedAutopilot

_REAL = (pytest.mark.e2e, pytest.mark.ardupilot)

on_every_vehicle = pytest.mark.parametrize(
    "vehicle",
    [
        pytest.param(EmbeddedAutopilot, id="embedded", marks=pytest.mark.e2e),
        pytest.param(ArduCopter, id="arducopter", marks=_REAL),
        pytest.param(ArduCopterOnOurPhysics, id="arducopter-json", marks=_REAL),
    ],
    indirect=True,
    scope="module",
)
