"""Nothing on the line raises or unlatches; disorder alarms not; the prediction is a Kalman filter.

Mutants killed here: the range check of ATTITUDE dropped (infinity raises), the bare payload
unpacked (a truncated one raises), `bg` for its conjugate, a lost factor 2 and a wrong sign in the
filter. Survived: stamps compared with `<` for `<=`, as a repeated message changes nothing.
"""

import math
import random
import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flightcore.monitor.gnss import WATCHED, GnssMonitor
from flightcore.monitor.inertial import Integrals
from flightcore.monitor.prediction import (
    _BIAS_0,
    _BIAS_WALK,
    _MISALIGNMENT_0,
    _MISALIGNMENT_WALK,
    _TILT_0,
    _TILT_PER_EFFORT,
    _TILT_WALK,
    _VELOCITY_0,
    Prediction,
    separation,
)
from tests.gnss_flight import FAULT_S, Vehicle, after, feed

EDGES = [b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01"]
FLOATS = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e38, -1e38, 1e-40, 3.2, -1.6]
PIECES = st.one_of(
    st.sampled_from(EDGES).map(lambda b: b * 4),
    st.sampled_from(FLOATS).map(lambda f: struct.pack("<f", f)),
    st.integers(0, 2**32 - 1).map(lambda i: i.to_bytes(4, "little")),
    st.integers(0, 90_000).map(lambda i: i.to_bytes(4, "little")),
    st.binary(min_size=4, max_size=4),
)
PAYLOADS = st.tuples(st.lists(PIECES, max_size=14), st.integers(0, 60)).map(
    lambda drawn: b"".join(drawn[0])[: drawn[1]]
)
IDS = st.one_of(st.sampled_from(sorted(WATCHED)), st.integers(0, 2**24 - 1))


def header(message_id, payload):
    return bytes((0xFD, len(payload), 0, 0, 0, 1, 1)) + message_id.to_bytes(3, "little")


FRAMES = st.tuples(IDS, PAYLOADS).map(lambda d: header(*d) + d[1] + b"\0\0")
FLIGHT = list(Vehicle().frames(end_s=FAULT_S))


@settings(max_examples=300)
@given(st.lists(st.one_of(FRAMES, st.binary(max_size=30)), max_size=60), st.integers(0, 2**63))
def test_no_bytes_raise_and_an_alarm_stays(frames, now_ns):
    monitor = GnssMonitor()
    feed(monitor, FLIGHT[: 20 * 13])
    first = None
    for n, frame in enumerate(frames):
        alarm = monitor.receive(frame, now_ns + n)
        assert alarm is None or first is None
        first = first or alarm
        assert monitor.alarm is first
        status = monitor.status(now_ns + n)
        assert all(ratio >= 0.0 for ratio in status.ratios.values())
    monitor.clear(now_ns)
    assert monitor.alarm is None


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(WATCHED)),
    st.integers(0, 9),
    st.one_of(st.sampled_from(FLOATS).map(lambda f: struct.pack("<f", f)), st.binary(max_size=8)),
    st.integers(0, 200),
)
@example(30, 1, struct.pack("<f", math.inf), 0)
@example(30, 2, struct.pack("<f", math.nan), 0)
@example(193, 0, struct.pack("<f", math.nan), 0)
@example(32, 1, struct.pack("<f", math.inf), 0)
@example(29, 1, struct.pack("<f", math.nan), 0)
def test_damage_to_a_flight_neither_raises_nor_spreads(message_id, at, damage, start):
    monitor = GnssMonitor()
    for n, (at_s, frame) in enumerate(FLIGHT[start : start + 400]):
        damaged = bytearray(frame)
        if n % 7 == 0 and frame[7] == message_id & 255:
            where = 10 + 4 * at
            damaged[where : where + len(damage)] = damage[: len(frame) - where]
        monitor.receive(bytes(damaged[: len(frame)]), round(at_s * 1e9))
    assert all(math.isfinite(ratio) for ratio in monitor.status(0).ratios.values())


@pytest.mark.slow
@settings(max_examples=12)
@given(st.integers(0, 2**32), st.sampled_from([1, 4, 25]), st.booleans())
def test_late_lost_and_repeated_packets_are_no_deception(seed, spread, twice):
    draw = random.Random(seed)
    frames = [f for f in FLIGHT if draw.random() > 0.03]
    if twice:
        frames += frames[::5]
    shaken = sorted(
        frames, key=lambda f: f[0] + (draw.random() * 0.05 * spread if draw.random() < 0.02 else 0)
    )
    assert feed(GnssMonitor(), shaken) is None


@pytest.mark.slow
@settings(max_examples=10)
@given(st.floats(3.0, 40.0), st.floats(-3.14, 3.14), st.floats(0.0, 5.0))
def test_any_jump_is_found_whatever_its_way(metres, way, moment):
    step = metres * complex(math.cos(way), math.sin(way))
    spoil = after(20.0 + moment, position=lambda dt, told: told.position + step)
    alarm = feed(GnssMonitor(), Vehicle(spoil=spoil).frames(end_s=27.0))
    assert alarm is not None
    assert alarm.vehicle_s >= 20.0 + moment - 1e-6


# --- the complex filter against the real one, eight states, written with matrices

NUMBERS = st.floats(-3.0, 3.0).map(lambda x: round(x, 3))
EPOCHS = st.lists(
    st.tuples(NUMBERS, NUMBERS, st.floats(-1.5, 1.5), NUMBERS, NUMBERS, st.floats(0.0, 0.02)),
    min_size=2,
    max_size=12,
)


def rotation(z):
    return np.array([[z.real, -z.imag], [z.imag, z.real]])


def slow_filter(epochs, noises):
    """Kalman filter of (v, b, n, g), each north and east, by the textbook."""
    x = np.zeros(8)
    p = np.diag(np.repeat([_VELOCITY_0, _BIAS_0, _TILT_0, _MISALIGNMENT_0], 2))
    x[:2] = epochs[0][1].real, epochs[0][1].imag
    eye = np.eye(2)
    for ((before, _), (at, seen)), noise in zip(pairwise(epochs), noises, strict=True):
        dt = at.time_s - before.time_s
        d = at.velocity - before.velocity
        f = np.eye(8)
        f[:2, 2:4] = rotation(at.heading - before.heading)
        f[:2, 4:6] = dt * eye
        f[:2, 6:8] = rotation(
            d * max(0.0, 1 - 8 * (at.variance - before.variance) / max(abs(d) ** 2, 1e-12))
        )
        x = f @ x
        x[:2] += d.real, d.imag
        q = np.zeros((8, 8))
        tilted = _TILT_WALK * dt + _TILT_PER_EFFORT * (at.effort - before.effort)
        v = at.variance - before.variance + (_BIAS_WALK * dt + tilted) * dt**2 / 3
        q[np.diag_indices(8)] = np.repeat([v, _BIAS_WALK * dt, tilted, _MISALIGNMENT_WALK * dt], 2)
        p = f @ p @ f.T + q
        h = np.hstack([eye, np.zeros((2, 6))])
        s = h @ p @ h.T + noise * eye
        k = p @ h.T @ np.linalg.inv(s)
        x = x + k @ (np.array([seen.real, seen.imag]) - h @ x)
        p = (np.eye(8) - k @ h) @ p
    return x, p


@settings(max_examples=150)
@given(EPOCHS)
def test_the_prediction_is_the_textbook_filter(drawn):
    at = Integrals(0.0, 0j, 0j, 0j, 0.0, 0.0, 0j)
    epochs = []
    for dvx, dvy, turn, vx, vy, spread in drawn:
        heading = complex(math.cos(turn), math.sin(turn)) * 0.2
        at = Integrals(
            at.time_s + 0.2,
            at.velocity + complex(dvx, dvy),
            at.heading + heading,
            0j,
            at.variance + spread,
            at.effort + abs(complex(dvx, dvy)),
            0j,
        )
        epochs.append((at, complex(vx, vy)))
    prediction = Prediction()
    noises, states = [], []
    for at, seen in epochs:
        noises.append(prediction.noise + 0.01)
        prediction.step(at, seen, 0.01)
        states.append(prediction.state)
    x, p = slow_filter(epochs, noises[1:])
    state = prediction.state
    mine = np.array([part for z in state[1:5] for part in (z.real, z.imag)])
    assert np.allclose(mine, x, rtol=1e-7, atol=1e-9)
    assert np.allclose([state.vv, state.bb, state.nn, state.gg], np.diag(p)[::2], rtol=1e-6)
    cross = [state.vb, state.vn, state.vg, state.bn, state.bg, state.ng]
    pairs = [(0, 2), (0, 4), (0, 6), (2, 4), (2, 6), (4, 6)]
    for z, (i, j) in zip(cross, pairs, strict=True):
        # E[x y*] for each axis: half of the sum over both
        assert np.allclose(rotation(z), p[i : i + 2, j : j + 2], rtol=1e-6, atol=1e-12)
    assert separation(state, states[0]) >= 0.0
