"""The load: a deterministic MAVLink mix as an ArduCopter link carries it, and answers.

One simulated second of the mix holds 76 frames, mean 37.8 bytes, in the ratios of a vehicle that
streams at 2 to 10 Hz. Nearly all of it is periodic telemetry, which the companion may hold back for
company; `answer_frames` is what leaves at once.
"""

import random
from collections.abc import Callable
from typing import Any, Final

from wire.mavlink import dialect

Message = Any  # the generated classes carry no types
SYSID: Final = 1
_SEED: Final = 20240601


def _attitude(r: random.Random, ms: int) -> Message:
    g = r.gauss
    return dialect.MAVLink_attitude_message(
        ms, g(0, 0.05), g(0, 0.05), g(1, 0.1), g(0, 0.02), g(0, 0.02), g(0, 0.02)
    )


def _position(r: random.Random, ms: int) -> Message:
    i = r.randint
    return dialect.MAVLink_global_position_int_message(
        ms,
        -353632621 + i(-5000, 5000),
        1491652374 + i(-5000, 5000),
        600000 + i(-900, 900),
        20000 + i(-900, 900),
        i(-300, 300),
        i(-300, 300),
        i(-50, 50),
        i(0, 35999),
    )


def _raw_imu(r: random.Random, ms: int) -> Message:
    values = [r.randint(-1000, 1000) for _ in range(9)]
    return dialect.MAVLink_raw_imu_message(ms * 1000, *values, id=0, temperature=4500)


def _servos(r: random.Random, ms: int) -> Message:
    motors = [r.randint(1100, 1900) for _ in range(4)]
    return dialect.MAVLink_servo_output_raw_message(ms * 1000 & 0xFFFFFFFF, 0, *motors, 0, 0, 0, 0)


def _vfr_hud(r: random.Random, _: int) -> Message:
    g, i = r.gauss, r.randint
    return dialect.MAVLink_vfr_hud_message(
        g(5, 1), g(6, 1), i(0, 359), i(20, 60), g(600, 2), g(0, 0.5)
    )


def _gps(r: random.Random, ms: int) -> Message:
    i = r.randint
    lat, lon = -353632621 + i(-500, 500), 1491652374 + i(-500, 500)
    return dialect.MAVLink_gps_raw_int_message(
        *(ms * 1000, 6, lat, lon, 600000, 121, 200, i(0, 900), i(0, 35999), 10),
        alt_ellipsoid=620000,
        h_acc=300,
        v_acc=400,
        vel_acc=200,
        hdg_acc=0,
    )


def _navigation(r: random.Random, _: int) -> Message:
    g, i = r.gauss, r.randint
    return dialect.MAVLink_nav_controller_output_message(
        *(g(0, 2), g(0, 2), i(0, 359), i(0, 359), i(0, 500), g(0, 0.5), 0.0, g(0, 0.5))
    )


def _ahrs(r: random.Random, _: int) -> Message:
    g = r.gauss
    return dialect.MAVLink_ahrs_message(
        g(0, 0.001), g(0, 0.001), g(0, 0.001), 0.0, 0.0, g(0, 0.01), g(0, 0.01)
    )


def _sys_status(r: random.Random, _: int) -> Message:
    i = r.randint
    return dialect.MAVLink_sys_status_message(
        *(1467087919, 1467063343, 1467087919, i(100, 400), 12587, i(500, 3000)),
        *(95, 0, 0, 0, 0, 0, 0),
    )


def _ekf(r: random.Random, _: int) -> Message:
    g = r.gauss
    return dialect.MAVLink_ekf_status_report_message(
        831, g(0.03, 0.005), g(0.02, 0.005), g(0.01, 0.002), g(0.04, 0.005), 0.0
    )


def _vibration(r: random.Random, ms: int) -> Message:
    shakes = [r.gauss(0.003, 0.001) for _ in range(3)]
    return dialect.MAVLink_vibration_message(ms * 1000, *shakes, 0, 0, 0)


def _battery(r: random.Random, _: int) -> Message:
    i = r.randint
    cells = [12587, *[65535] * 9]
    return dialect.MAVLink_battery_status_message(
        0, 0, 0, 32767, cells, i(500, 3000), i(0, 3000), -1, 95
    )


def _heartbeat(_: random.Random, __: int) -> Message:
    return dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 4, 3)


# What one second holds: (frames, how to make one).
MIX: Final[tuple[tuple[int, Callable[[random.Random, int], Message]], ...]] = (
    (1, _heartbeat),
    (10, _attitude),
    (10, _position),
    (10, _raw_imu),
    (5, _servos),
    (
        5,
        lambda _, ms: dialect.MAVLink_rc_channels_message(
            ms, 16, *([1500] * 8 + [0] * 10), rssi=255
        ),
    ),
    (5, _vfr_hud),
    (5, _gps),
    (
        5,
        lambda r, ms: dialect.MAVLink_scaled_pressure_message(
            ms, 945.0 + r.gauss(0, 0.05), r.gauss(0, 0.01), 3500
        ),
    ),
    (5, _navigation),
    (3, _ahrs),
    (2, _sys_status),
    (2, lambda _, __: dialect.MAVLink_power_status_message(5000, 0, 0)),
    (2, _ekf),
    (2, _vibration),
    (2, _battery),
    (2, lambda _, ms: dialect.MAVLink_system_time_message(1717200000000000 + ms * 1000, ms)),
)


def mix_frames(seconds: int = 60) -> list[bytes]:
    """Return the frames of `seconds` simulated seconds, in order of time."""
    r = random.Random(_SEED)
    events = sorted(
        (int((second + (k + r.random() * 0.5) / count) * 1000), kind)
        for second in range(seconds)
        for kind, (count, _) in enumerate(MIX)
        for k in range(count)
    )
    return _pack([MIX[kind][1](r, ms) for ms, kind in events])


def answer_frames(count: int = 4096) -> list[bytes]:
    """Return parameter values, as an autopilot sends them when asked: they never wait."""
    return _pack(
        [
            dialect.MAVLink_param_value_message(f"BENCH_{i:04d}".encode(), float(i), 9, count, i)
            for i in range(count)
        ]
    )


def heartbeat_frame(seq: int = 0) -> bytes:
    """Return the heartbeat by which the policy comes to know the vehicle: disarmed."""
    return _pack([_heartbeat(random.Random(_SEED), 0)], seq)[0]


def ground_heartbeat_frame(seq: int) -> bytes:
    """Return the heartbeat of an operator's station."""
    message = dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)
    return _pack([message], seq, sysid=255, compid=190)[0]


def command_frame(seq: int) -> bytes:
    """Return an operator's REQUEST_MESSAGE for AUTOPILOT_VERSION, which the policy allows."""
    message = dialect.MAVLink_command_long_message(
        SYSID, 1, dialect.MAV_CMD_REQUEST_MESSAGE, 0, 148, 0, 0, 0, 0, 0, 0
    )
    return _pack([message], seq, sysid=255, compid=190)[0]


def _pack(
    messages: list[Message], first_seq: int = 0, *, sysid: int = SYSID, compid: int = 1
) -> list[bytes]:
    packer = dialect.MAVLink(None, srcSystem=sysid, srcComponent=compid)
    frames = []
    for number, message in enumerate(messages, first_seq):
        packer.seq = number % 256
        frames.append(bytes(message.pack(packer)))
    return frames
