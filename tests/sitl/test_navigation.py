"""An ordinary flight of the simulator, at the rates that the companion asks for, raises no alarm.

Mutant killed: GPS_RAW_INT stamped with the time of its sending, not of its fix.
"""

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.monitor.gnss import GnssMonitor, State
from flightcore.rates import WANTED
from tests.sitl.link import Client, simulation

GUIDED, RTL, BRAKE = 4, 6, 17


@pytest.mark.slow
def test_an_ordinary_flight_is_not_suspect():
    sim = simulation()
    client, monitor = Client(sim), GnssMonitor()
    worst = 0.0

    def watch(message):
        nonlocal worst
        alarm = monitor.receive(bytes(message.get_msgbuf()), sim.now_ns)
        assert alarm is None, f"{client.now_s:.1f} s, {client.mode}: {alarm}"
        worst = max(worst, *monitor.status(sim.now_ns).ratios.values(), 0.0)

    client.on_message = watch
    for number, wanted in WANTED.items():
        client.command(dialect.MAV_CMD_SET_MESSAGE_INTERVAL, number, wanted.interval_ms * 1000)
    client.run(15)
    client.command(dialect.MAV_CMD_DO_SET_MODE, 1, GUIDED)
    client.command(dialect.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    client.command(dialect.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, 10)
    client.run(8)
    client.send(
        dialect.MAVLink_set_position_target_local_ned_message(
            0, 1, 1, 1, 0xDF8, 80, 0, -10, 0, 0, 0, 0, 0, 0, 0, 0
        )
    )
    client.run(6)
    client.command(dialect.MAV_CMD_DO_SET_MODE, 1, BRAKE)
    client.run(4)
    client.command(dialect.MAV_CMD_DO_SET_MODE, 1, RTL)
    client.run(12)
    assert monitor.state(sim.now_ns) is State.OK
    assert worst < 0.5
