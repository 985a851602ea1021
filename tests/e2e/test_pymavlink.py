"""pymavlink: a scripted flight, and every kind of endpoint with several clients at once."""

import math
from contextlib import ExitStack

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.e2e.pilot import Pilot
from tests.e2e.stack import NAME
from tests.e2e.vehicles import HOME

GUIDED, RTL = 4, 6
POINT = (HOME[0] + 0.0003, HOME[1] + 0.0003)
POSITION_ONLY = 0xDF8


def test_a_scripted_flight(stack, vehicle):
    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        pilot.set_mode(GUIDED)
        pilot.arm(timeout_s=120 / vehicle.speedup)
        pilot.take_off(12, timeout_s=60 / vehicle.speedup)

        pilot.connection.mav.set_position_target_global_int_send(
            0, 1, 1, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT, POSITION_ONLY,
            round(POINT[0] * 1e7), round(POINT[1] * 1e7), 15, 0, 0, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
        pilot.until(lambda: pilot.distance_to(*POINT) < 1, 120 / vehicle.speedup, "the point")

        pilot.set_mode(RTL)
        pilot.until(lambda: not pilot.is_armed(), 240 / vehicle.speedup, "landed, disarmed")
        assert pilot.distance_to(*HOME[:2]) < 1
        assert abs(pilot.height()) < 0.5

        # Frames of the vehicle are numbered: pymavlink counts those it misses.
        assert pilot.connection.mav_loss == 0
    stack.check_counters()


def test_a_reposition_with_nan_flags_is_denied(stack):
    with Pilot(f"tcp:127.0.0.1:{stack.tcp_port}") as pilot:
        pilot.connect()
        pilot.connection.mav.command_int_send(
            1, 1, mavlink.MAV_FRAME_GLOBAL, mavlink.MAV_CMD_DO_REPOSITION, 0, 0,
            -1, math.nan, 0, math.nan, round(POINT[0] * 1e7), round(POINT[1] * 1e7), 600,
        )  # fmt: skip
        result = pilot.acknowledged(mavlink.MAV_CMD_DO_REPOSITION)
        assert result == mavlink.MAV_RESULT_DENIED


def test_endpoints_serve_several_clients_at_once(stack):
    urls = [f"udpin:127.0.0.1:{stack.out_port}"]
    urls += [f"udpout:127.0.0.1:{stack.udp_port}"] * 2
    urls += [f"tcp:127.0.0.1:{stack.tcp_port}"] * 2
    with ExitStack() as opened:
        pilots = [opened.enter_context(Pilot(url, 200 + i)) for i, url in enumerate(urls)]
        for pilot in pilots:
            pilot.connect()
        # What one asks, all hear answered; what each asks, each is told.
        for pilot in pilots:
            pilot.connection.mav.param_request_read_send(1, 1, b"WPNAV_SPEED", -1)
            for other in pilots:
                other.latest.pop("PARAM_VALUE", None)

                def is_answered(other=other):
                    message = other.latest.get("PARAM_VALUE")
                    return message is not None and message.param_id == "WPNAV_SPEED"

                other.until(is_answered, 5, "the parameter")
    assert stack.status("ground")["peers"][NAME]["state"] == "live"
