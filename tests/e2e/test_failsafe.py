"""The operator is lost in flight: some ways here, all in `python -m tests.soak failsafe`.

Mutants killed: no age limit, so that what waited during a stop counts as presence after it;
FS_GCS_ENABLE 0 in the vehicle.
"""

import pytest

from tests.e2e.losses import BOUND_S, MODES, Way, lose
from tests.e2e.vehicles import ArduCopter, EmbeddedAutopilot


def check(result):
    print(result)
    assert 0 < result.noticed_s <= BOUND_S
    assert result.presence > 0
    assert result.presence_s <= 1.0


@pytest.mark.e2e
@pytest.mark.parametrize(("mode", "way"), [("GUIDED", Way.STOPPED), ("LOITER", Way.FLOODED)])
def test_each_within_the_bound(mode, way, tmp_path):
    vehicle = EmbeddedAutopilot(tmp_path, speedup=1, ekf_ready_s=1)
    try:
        check(lose(vehicle, mode, way, tmp_path / "stack", height=6))
    finally:
        vehicle.stop()


@pytest.mark.e2e
@pytest.mark.ardupilot
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", Way)
def test_the_real_autopilot_within_the_bound(mode, way, tmp_path):
    if ArduCopter.binary() is None:
        pytest.skip("no ArduCopter SITL: set SEKISHO_ARDUCOPTER or have `arducopter` on PATH")
    vehicle = ArduCopter(tmp_path, speedup=1)
    try:
        check(lose(vehicle, mode, way, tmp_path / "stack"))
    finally:
        vehicle.stop()
