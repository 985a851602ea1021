"""The channel: datagrams in, datagrams out later, changed, twice, or never. Sans-I/O, seeded.

It owns no key and knows no format: it does to datagrams what anybody on the air can do. What it
has heard it may play again, which a blackout keeps it from hearing as well.
"""

import heapq
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from sim.channel.script import Conditions, Script, Way

_REMEMBERED: Final = 4096
_INJECTED_BYTES: Final = (1, 1200)
_SEALED: Final = 0x80  # first bit of a sealed datagram's first byte, 6 more of any kind
_INDEX_MASK: Final = 0x3F
# After a pause no more than this is made up for by injections and replays.
_ARREARS_S: Final = 0.1
_NEVER_NS: Final = 1 << 63
_WHOLE: Final = 1.0 - 1e-6  # a deadline is whole nanoseconds, so one may be owed by a hair less


class Departure(NamedTuple):
    """A datagram on its way: when it arrives, which was sent first, where to, and what."""

    due_ns: int
    number: int
    way: Way
    datagram: bytes


class _Phase(NamedTuple):
    """What holds between two moments. Rates are of what an attacker makes of his own accord [1/s].

    `begin_ns` is when it was looked up, `end_ns` shortly before it may change, and `change_ns` when
    to look again, None if never.
    """

    begin_ns: int
    end_ns: int
    change_ns: int | None
    conditions: dict[Way, Conditions]
    rates: dict[Way, list[tuple[str, float]]]


class _Direction:
    """One direction: what is waiting, held, heard; state of the burst and of the line."""

    def __init__(self, earlier: Sequence[bytes]) -> None:
        self.heard: deque[bytes] = deque(earlier, _REMEMBERED)
        self.held: list[bytes] = []
        self.bad = False
        self.line_free_ns = 0
        self.order_ns = 0
        self.owed = {"replayed": 0.0, "tampered": 0.0, "injected": 0.0}


class Air:
    """Both directions of one link. The zero state has heard nothing but `earlier`.

    Args:
        script: What happens when, from the first call on.
        earlier: Datagrams of sessions before, which may be replayed.
        forged: What the attacker injects besides noise.

    Attributes:
        counts: What happened to datagrams, by kind.
    """

    def __init__(
        self,
        script: Script,
        earlier: Mapping[Way, Sequence[bytes]] | None = None,
        forged: Sequence[bytes] = (),
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._script = script
        self._forged = forged
        self._random = np.random.default_rng(script.seed)
        self._ways = {way: _Direction((earlier or {}).get(way, ())) for way in Way}
        self._waiting: list[Departure] = []
        self._number = 0
        self._start_ns: int | None = None
        self._before_ns = 0
        self._phase = _Phase(0, 0, None, {}, {})

    def heard(self, way: Way) -> list[bytes]:
        """Return what can be replayed in a direction, oldest first."""
        return list(self._ways[way].heard)

    def play(self, script: Script, now_ns: int) -> None:
        """Begin with another script; what was heard, held and is under way stays."""
        self.step(now_ns)
        self._script = script
        self._start_ns = now_ns
        self._phase = _Phase(0, 0, None, {}, {})

    def send(self, way: Way, datagram: bytes, now_ns: int) -> None:
        """Take a datagram that one end sends."""
        self.step(now_ns)
        conditions = self._at(now_ns).conditions[way]
        self.counts["sent"] += 1
        if conditions.blackout:
            self.counts["blacked out"] += 1
            return
        self._ways[way].heard.append(datagram)
        if conditions.hold and len(datagram) >= conditions.hold_bytes:
            self._ways[way].held.append(datagram)
            self.counts["held"] += 1
            return
        self._pass(way, datagram, conditions, now_ns)

    def step(self, now_ns: int) -> None:
        """Let pass time: release what was held, play and make up what is due."""
        if self._start_ns is None:
            self._start_ns = self._before_ns = now_ns
        before_ns, self._before_ns = self._before_ns, now_ns
        elapsed_s = min((now_ns - before_ns) * 1e-9, _ARREARS_S)
        before, now = self._at(before_ns), self._at(now_ns)
        for way, direction in self._ways.items():
            conditions = now.conditions[way]
            if direction.held and not conditions.hold:
                held, direction.held = direction.held, []
                for datagram in held:
                    self.counts["released"] += 1
                    self._pass(way, datagram, conditions, now_ns)
            for kind, rate in before.rates[way]:
                direction.owed[kind] += rate * elapsed_s
                while direction.owed[kind] >= _WHOLE:
                    direction.owed[kind] -= 1.0
                    made = self._made(kind, direction)
                    if made is not None:
                        self.counts[kind] += 1
                        self._depart(way, made, now_ns)

    def outgoing(self, now_ns: int) -> list[tuple[Way, bytes]]:
        """Return what arrives until now, in the order of arrival."""
        self.step(now_ns)
        arrived = []
        while self._waiting and self._waiting[0].due_ns <= now_ns:
            departure = heapq.heappop(self._waiting)
            arrived.append((departure.way, departure.datagram))
            self.counts["arrived"] += 1
        return arrived

    def deadline_ns(self) -> int | None:
        """Return when to call again: an arrival, a phase, the next of a stream of attacks."""
        if self._start_ns is None:
            return None
        times = [self._waiting[0].due_ns] if self._waiting else []
        phase = self._at(self._before_ns)
        if phase.change_ns is not None:
            times.append(phase.change_ns)
        for way, direction in self._ways.items():
            for kind, rate in phase.rates[way]:
                wait_ns = round((1.0 - direction.owed[kind]) / rate * 1e9)
                times.append(self._before_ns + max(wait_ns, 1))
        return min(times, default=None)

    def _at(self, now_ns: int) -> _Phase:
        """Return what holds at a moment."""
        if not self._phase.begin_ns <= now_ns < self._phase.end_ns:
            assert self._start_ns is not None
            now_s = (now_ns - self._start_ns) * 1e-9
            conditions = {way: self._script.conditions(way, now_s) for way in Way}
            change_s = self._script.changes(now_s)
            change_ns = None if change_s is None else self._start_ns + round(change_s * 1e9)
            self._phase = _Phase(
                now_ns,
                _NEVER_NS if change_ns is None else change_ns - 1,  # which was rounded
                change_ns,
                conditions,
                {way: _rates(conditions[way]) for way in Way},
            )
        return self._phase

    def _pass(self, way: Way, datagram: bytes, conditions: Conditions, now_ns: int) -> None:
        if self._lost(way, conditions):
            self.counts["lost"] += 1
            return
        if self._by_chance(conditions.reflect):
            self.counts["reflected"] += 1
            self._depart(way.other, datagram, now_ns)
        changed = self._changed(datagram, conditions)
        copies = 1
        if self._by_chance(conditions.duplicate):
            self.counts["duplicated"] += 1
            copies = 2
        for _ in range(copies):
            self._queue(way, changed, conditions, now_ns)

    def _lost(self, way: Way, conditions: Conditions) -> bool:
        direction, burst = self._ways[way], conditions.burst
        if burst is None:
            direction.bad = False
        else:
            turning = burst.end if direction.bad else burst.begin
            direction.bad ^= self._by_chance(turning)
            if direction.bad and self._by_chance(burst.loss):
                return True
        return self._by_chance(conditions.loss)

    def _changed(self, datagram: bytes, conditions: Conditions) -> bytes:
        if datagram and self._by_chance(conditions.truncate):
            self.counts["truncated"] += 1
            datagram = datagram[: self._below(len(datagram))]
        if datagram and self._by_chance(conditions.flip):
            self.counts["flipped"] += 1
            datagram = self._flipped(datagram)
        return datagram

    def _flipped(self, datagram: bytes) -> bytes:
        out = bytearray(datagram)
        # Different bits: flipped twice, one would be as before.
        count = min(1 + self._below(3), 8 * len(out))
        for bit in self._random.choice(8 * len(out), count, replace=False).tolist():
            out[bit // 8] ^= 1 << bit % 8
        return bytes(out)

    def _made(self, kind: str, direction: _Direction) -> bytes | None:
        """Return a datagram of the attacker's, None if there is nothing to make it of."""
        if kind == "injected":
            return self._injected()
        if not direction.heard:
            return None
        chosen = direction.heard[self._below(len(direction.heard))]
        if kind == "replayed" or not chosen:
            return chosen
        if self._below(8) == 0:
            return chosen[: self._below(len(chosen))]
        return self._flipped(chosen)

    def _injected(self) -> bytes:
        kinds = 3 if self._forged else 2
        which = self._below(kinds)
        if which == 2:
            return self._forged[self._below(len(self._forged))]
        noise = self._random.bytes(int(self._random.integers(*_INJECTED_BYTES)))
        return noise if which == 0 else bytes((_SEALED | noise[0] & _INDEX_MASK,)) + noise[1:]

    def _queue(self, way: Way, datagram: bytes, conditions: Conditions, now_ns: int) -> None:
        """Send through the narrow line, then through the delay."""
        direction = self._ways[way]
        leaves_ns = now_ns
        if conditions.bytes_per_s:
            waiting_ns = max(direction.line_free_ns - now_ns, 0)
            if waiting_ns * 1e-9 * conditions.bytes_per_s > conditions.buffer_bytes:
                self.counts["overflowed"] += 1
                return
            taken_ns = round(len(datagram) / conditions.bytes_per_s * 1e9)
            leaves_ns = direction.line_free_ns = now_ns + waiting_ns + taken_ns
        jitter_ms = conditions.jitter_ms * self._random.random() if conditions.jitter_ms else 0.0
        due_ns = leaves_ns + round((conditions.delay_ms + jitter_ms) * 1e6)
        if self._by_chance(conditions.reorder):
            self.counts["reordered"] += 1
            due_ns += round(conditions.reorder_ms * 1e6)
        else:
            due_ns = direction.order_ns = max(due_ns, direction.order_ns)
        self._depart(way, datagram, due_ns)

    def _depart(self, way: Way, datagram: bytes, due_ns: int) -> None:
        self._number += 1
        heapq.heappush(self._waiting, Departure(due_ns, self._number, way, datagram))

    def _by_chance(self, share: float) -> bool:
        return share > 0.0 and float(self._random.random()) < share

    def _below(self, bound: int) -> int:
        return int(self._random.integers(bound))


def _rates(conditions: Conditions) -> list[tuple[str, float]]:
    """Return what an attacker makes of his own accord, and how often [1/s]."""
    rates = (
        ("replayed", conditions.replay_per_s),
        ("tampered", conditions.tamper_per_s),
        ("injected", conditions.inject_per_s),
    )
    return [(kind, rate) for kind, rate in rates if rate > 0.0]
