"""Worlds that tests fly, and what is held against them: a slow account of all that passed."""

import hashlib

import msgspec
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.pair import Role
from flightcore.policy import BUILT_IN, FlightState, Freshness, Refuse
from sekisho.world.missions import items, rows, survey
from sekisho.world.strand import Where
from sekisho.world.world import APART_M, HOME, START_NS, World
from sim.channel.script import Script
from wire.mavlink import FrameSplitter

S = 1_000_000_000
LONG = rows(26, 150.0, 8.0)
SHORT = rows(2, 30.0, 10.0)
WIDE = {"FENCE_RADIUS": 400.0}  # of what is around the long one


def script(corners, height=12.0):
    """Every drone flies over its own place."""

    def of(number):
        home = HOME.offset(0.0, APART_M * number)
        return survey(items(number + 1, home, corners, height), height)

    return of


def weather(*phases, seed=1):
    written = [{"at": at, "conditions": conditions} for at, conditions in phases]
    return msgspec.convert({"phase": written, "seed": seed}, Script)


class Account:
    """Every byte that passed, and when; frames of the operators on the line, apart."""

    def __init__(self):
        self.digest = hashlib.sha256()
        self.heard_up = []  # (when, drone)
        self.executed = []  # (when, drone, frame)
        self.modes = []  # (when, drone, mode) of every heartbeat of an autopilot
        self._splitters = {}
        self._mavlink = dialect.MAVLink(None)

    def __call__(self, where, number, now_ns, data):
        self.digest.update(f"{where} {number} {now_ns} {len(data)} ".encode() + data)
        if where is Where.HEARD_UP:
            self.heard_up.append((now_ns, number))
        if where not in (Where.LINE_UP, Where.LINE_DOWN):
            return
        for frame in self._splitters.setdefault((where, number), FrameSplitter()).receive(data):
            if frame[5] == 255:
                self.executed.append((now_ns, number, frame))
            elif frame[5:10] == bytes((number + 1, 1, 0, 0, 0)):
                heartbeat = self._mavlink.decode(bytearray(frame))
                self.modes.append((now_ns, number, heartbeat.custom_mode))


def fly(setting_of, seconds=900.0):
    """Fly a world until every operator is done; return it and the account of it."""
    account = Account()
    world = World(setting_of(account))
    world.run_until(lambda: all(s.operator.is_done for s in world.strands), seconds)
    world.run(15.0)  # recordings end ten seconds after the landing
    world.close()
    return world, account


def limit_ns(frame, sysid):
    """How old a frame may be when it is executed, in whichever state lets it be older."""
    verdicts = [
        BUILT_IN.judge(frame, Role.COMMANDER, sysid, state)
        for state in (FlightState.ARMED, FlightState.DISARMED)
    ]
    return max(v.freshness for v in verdicts if not isinstance(v, Refuse))


def check(world, account):
    """Nothing was executed that was not sent, twice, or too late; commands kept their order."""
    for strand in world.strands:
        sent = {}
        for when, frame in strand.operator.sent:
            sent.setdefault(frame, []).append(when)
        last = -1
        for when, number, frame in account.executed:
            if number != strand.number:
                continue
            times = [t for t in sent.get(frame, ()) if t <= when]
            assert times, f"{frame.hex()} at {(when - START_NS) / S:.2f} s: more often than sent"
            sent[frame].remove(times[-1])
            limit = limit_ns(frame, strand.number + 1)
            assert when - times[-1] <= limit, (frame.hex(), when - times[-1], limit)
            if limit != Freshness.TRANSFER:
                assert times[-1] >= last
                last = times[-1]
