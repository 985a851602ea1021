"""Which port is chosen, with devices that are silent, noisy, or speak MAVLink to no purpose.

Mutants killed: a silent device is tried at every speed; a device that is no autopilot is tried at
every speed; a noisy one is given up; a heartbeat of a ground station is an autopilot's.
"""

import random

from pymavlink.dialects.v20 import ardupilotmega as dialect

from flightcore.port_scan import BAUDS, LISTEN_NS, PortScan, Trial

MS, S = 10**6, 10**9
NOISE = random.Random(20261121)


def pack(message, compid=1):
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=compid)))


BEAT = pack(dialect.MAVLink_heartbeat_message(2, 3, 81, 0, 3, 3))
GCS_BEAT = pack(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 3, 3))
GIMBAL_BEAT = pack(dialect.MAVLink_heartbeat_message(26, 8, 0, 0, 3, 3), 154)
BYTES = {"autopilot": BEAT, "ground": GCS_BEAT, "gimbal": GIMBAL_BEAT}


def scan(devices, bauds=BAUDS):
    """Run a pass; `devices` says what each is and its speed. Returns (found, trials, seconds)."""
    now = 0
    core = PortScan(list(devices), bauds, now)
    trials = []
    while core.trial is not None and core.found is None:
        if not trials or trials[-1] != core.trial:
            trials.append(core.trial)
        now += 50 * MS
        kind, baud = devices[core.trial.device]
        if now % S == 0 and kind in BYTES:
            data = BYTES[kind]
            if core.trial.baud != baud:
                data = NOISE.randbytes(len(data))
            core.receive(data, now)
        core.tick(now)
    return core.found, trials, now / S


def test_the_only_autopilot_is_found_whatever_its_speed():
    for baud in BAUDS:
        found, trials, seconds = scan({"/dev/a": ("autopilot", baud)})
        assert found == Trial("/dev/a", baud)
        assert seconds <= len(trials) * 1.4


def test_silent_devices_cost_one_trial_each():
    devices = {"/dev/a": ("silent", 0), "/dev/b": ("silent", 0), "/dev/c": ("autopilot", 115200)}
    found, trials, _ = scan(devices)
    assert found == Trial("/dev/c", 115200)
    assert [trial.device for trial in trials[:3]] == ["/dev/a", "/dev/b", "/dev/c"]


def test_what_speaks_mavlink_and_is_no_autopilot_costs_one_more():
    for kind in ("ground", "gimbal"):
        found, trials, seconds = scan({"/dev/a": (kind, BAUDS[0]), "/dev/b": ("silent", 0)})
        assert found is None
        assert len(trials) == 2
        assert seconds < 5


def test_nobody_is_nobody():
    assert scan({})[0] is None
    assert scan({"/dev/a": ("autopilot", 12345)})[0] is None


def test_one_configured_speed_is_the_only_one():
    devices = {"/dev/a": ("autopilot", 57600), "/dev/b": ("autopilot", 115200)}
    assert scan(devices, (115200,))[0] == Trial("/dev/b", 115200)


def test_what_cannot_be_opened_is_skipped():
    core = PortScan(["/dev/a", "/dev/b"], BAUDS, 0)
    core.skip(0, is_hopeless=False)  # this speed is none of its
    assert core.trial == Trial("/dev/a", BAUDS[1])
    core.skip(0, is_hopeless=True)
    assert core.trial == Trial("/dev/b", BAUDS[0])
    core.tick(LISTEN_NS)
    assert core.trial is None
