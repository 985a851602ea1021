"""The JSON interface over real UDP, with a hand-made ArduPilot at the other end.

Mutants killed: a space after a colon; "imu" after its keys; a specific force that forgets gravity
or its sign; a repeated frame that steps the physics; a restart that is taken for a gap; time going
back at a restart; pulses of the fifth output driving the first rotor; ENU instead of NED.
"""

import json
import math
import re
import socket
import struct
import threading

import numpy as np
import pytest

from sim.aio.ardupilot_json import JsonSummary, serve
from sim.airframe import airframe
from sim.ardupilot_json import JsonPhysics, parse_servos_untrusted
from sim.wind import Flow, Wind

RATE = 1200
FRAME = airframe("ardupilot-quad")
CALM = Flow(0.0, 0.0, 0.0)
HOVER = 1600


def packet(frame: int, pulses, rate: int = RATE, wide: bool = False) -> bytes:
    count, magic = (32, 29569) if wide else (16, 18458)
    padded = [*pulses, *[0] * (count - len(pulses))]
    return struct.pack(f"<HHI{count}H", magic, rate, frame, *padded)


class Peer:
    """What ArduPilot does: sends pulses, waits for the answer, reads it as SIM_JSON.cpp does."""

    def __init__(self, port: int) -> None:
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._line.connect(("127.0.0.1", port))
        self._line.settimeout(5.0)
        self.frame = 0

    def send(self, data: bytes) -> bytes:
        self._line.send(data)
        return self._line.recv(2048)

    def fly(self, pulses, frames: int = 1) -> dict:
        for _ in range(frames):
            answer = self.send(packet(self.frame, pulses))
            self.frame += 1
        return self.read(answer)

    def read(self, answer: bytes) -> dict:
        assert answer.startswith(b"\n")
        assert answer.endswith(b"\n")
        text = answer.decode()
        assert not re.search(r":\s", text)
        # Found by searching for the section and, from there, for the key.
        section = text.index('"imu"')
        assert text.index('"gyro"', section) < text.index('"position"')
        assert text.index('"accel_body"', section) < text.index('"position"')
        return json.loads(text)

    def close(self) -> None:
        self._line.close()


class Server:
    def __init__(self, physics: JsonPhysics, silence_s: float = 0.5) -> None:
        self.physics = physics
        self.summary: JsonSummary | None = None
        self._ready, self._port = threading.Event(), 0
        self._thread = threading.Thread(target=self._run, args=(silence_s,))

    def _run(self, silence_s: float) -> None:
        def ready(port: int) -> None:
            self._port = port
            self._ready.set()

        self.summary = serve(self.physics, 0, silence_s, ready)

    def __enter__(self) -> Peer:
        self._thread.start()
        assert self._ready.wait(5.0)
        self.peer = Peer(self._port)
        return self.peer

    def __exit__(self, *_) -> None:
        self.peer.close()
        self._thread.join(5.0)
        assert not self._thread.is_alive()


@pytest.fixture(autouse=True)
def no_signals(monkeypatch):
    """Handlers can be set in the main thread only; there `sekisho sim` runs, here a thread does."""
    monkeypatch.setattr("signal.signal", lambda _number, handler: handler)


def physics(flow: Flow = CALM, **kwargs) -> JsonPhysics:
    return JsonPhysics(FRAME, Wind(np.random.default_rng(1)), flow, **kwargs)


def test_at_rest_it_feels_the_ground():
    with Server(physics(heading=1.0)) as peer:
        state = peer.fly([1000] * 4, 50)
    assert state["imu"]["accel_body"] == pytest.approx([0.0, 0.0, -9.80665], abs=1e-6)
    assert state["imu"]["gyro"] == [0.0, 0.0, 0.0]
    assert state["position"] == [0.0, 0.0, 0.0]
    assert state["quaternion"] == pytest.approx([math.cos(0.5), 0, 0, math.sin(0.5)])
    assert state["timestamp"] == pytest.approx(49 / RATE)


def test_full_thrust_climbs_and_pairs_turn_it():
    with Server(physics()) as peer:
        state = peer.fly([1950] * 4, 1200)
        assert state["position"][2] < -4.0
        assert state["velocity"][2] < -5.0
        assert state["imu"]["accel_body"][2] < -15.0
        assert state["rng_1"] == pytest.approx(-state["position"][2], abs=1e-3)
        front = peer.fly([1700, 1650, 1700, 1650], 12)
        assert front["imu"]["gyro"][1] > 0.01  # outputs 1 and 3 are in front: nose up
        right = peer.fly([1700, 1650, 1650, 1700], 24)
        assert right["imu"]["gyro"][0] < front["imu"]["gyro"][0] - 0.01  # 1 and 4: right side up
        spun = peer.fly([1700, 1700, 1600, 1600], 24)
        assert spun["imu"]["gyro"][2] > right["imu"]["gyro"][2]


def test_hover_is_where_ardupilots_model_hovers():
    """0.39 of full thrust at 0.551 of the range; the battery sags by a few percent meanwhile."""
    for share, lifts in ((0.97, False), (1.08, True)):
        with Server(physics()) as peer:
            state = peer.fly([1150 + round(800 * 0.5508 * share)] * 4, 1200)
        assert (state["position"][2] < 0.0) == lifts


def test_frames_that_come_again_are_answered_as_before():
    server = Server(physics())
    with server as peer:
        peer.fly([1600] * 4, 100)
        again = [peer.send(packet(100, [1600] * 4)) for _ in range(3)]
        assert again[0] == again[1] == again[2]
        following = peer.read(peer.send(packet(101, [1600] * 4)))
        assert following["timestamp"] == pytest.approx(101 / RATE)
        peer.send(packet(110, [1600] * 4))
    assert server.summary is not None
    assert (server.summary.frames, server.summary.repeats, server.summary.gaps) == (103, 2, 8)


def test_a_restart_puts_the_vehicle_back_and_time_on():
    with Server(physics()) as peer:
        flown = peer.fly([1950] * 4, 600)
        assert flown["position"][2] < -0.5
        peer.frame = 0
        first = peer.fly([1000] * 4)
        assert first["position"] == [0.0, 0.0, 0.0]
        assert first["timestamp"] >= flown["timestamp"]


def test_strangers_are_not_answered_and_harm_nothing():
    server = Server(physics())
    with server as peer:
        peer.fly([1000] * 4)
        for noise in (b"", b"x", bytes(40), packet(1, [1000] * 4)[:-1], packet(1, [], rate=0)):
            peer._line.send(noise)
        state = peer.read(peer.send(packet(1, [1000] * 4, wide=True)))
        assert state["timestamp"] == pytest.approx(1 / RATE)
    assert server.summary is not None
    assert server.summary.foreign == 5


def test_wind_drifts_it_and_the_rate_may_change():
    with Server(physics(Flow(6.0, math.pi, 0.0))) as peer:
        peer.fly([1950] * 4, 1200)
        state = peer.fly([HOVER] * 4, 2400)
        assert state["position"][0] > 0.5  # from the south to the north
        before = state["timestamp"]
        for frame in range(10):
            answer = peer.send(packet(peer.frame + frame, [HOVER] * 4, rate=400))
        assert peer.read(answer)["timestamp"] == pytest.approx(before + 1 / RATE + 9 / 400)


def test_it_ends_when_ardupilot_falls_silent():
    server = Server(physics(), silence_s=0.3)
    with server as peer:
        peer.fly([1000] * 4, 10)
    assert server.summary is not None
    assert not server.summary.interrupted
    assert server.summary.vehicle_s == pytest.approx(10 / RATE)


def test_packets_are_recognised():
    assert parse_servos_untrusted(packet(7, [1000, 1100])) == (RATE, 7, (1000, 1100, *[0] * 14))
    assert parse_servos_untrusted(packet(7, [1], wide=True)).pulses[:1] == (1,)
    assert parse_servos_untrusted(packet(7, [1], rate=50)) is None
