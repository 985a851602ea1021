"""Second steps against the list of what was asked: each thing is done once, as asked, in time.

Mutants killed (docs/decisions/0014-mutants.md): challenge a nanosecond too long; challenge not
bound to its bytes; challenge not used up; challenge without time limit; dual control by one; nonce
of a challenge reused; one waiting challenge for all; a request that
is repeated draws a fresh nonce; one that is overdue keeps its old one.
"""

import os
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from crypto.confirmation import VALID_NS, Confirmations, Unconfirmed, UnconfirmedError, answer
from crypto.suites import CHACHA

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "1"))
STATIONS = st.sampled_from("abc")
WAITS = st.sampled_from([0, 1, VALID_NS // 2, VALID_NS - 1, VALID_NS, VALID_NS + 1])


class TwoSteps(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), is_dual=st.booleans())
    def start(self, seed, is_dual):
        self.rng = random.Random(seed)
        self.is_dual = is_dual
        self.confirmations = Confirmations(self.rng.randbytes, dual=is_dual)
        self.now = 10**12
        self.asked = []  # (station, challenge as it came down, when); the model
        self.open = {}  # station -> its last, until it is used up

    @rule(station=STATIONS, operation=st.sampled_from([b"x", b"y" * 40]))
    def ask(self, station, operation):
        challenge = self.confirmations.ask(station, operation, self.now)
        waiting = self.open.get(station)
        is_waiting = waiting is not None and self.now - waiting[2] < VALID_NS
        if is_waiting and waiting[1][8:] == operation:  # asked again: the same second step
            assert challenge.encode() == waiting[1]
            return
        assert challenge.nonce not in {down[:8] for _, down, _ in self.asked}
        self.asked.append((station, challenge.encode(), self.now))
        self.open[station] = self.asked[-1]

    @rule(ns=WAITS)
    def wait(self, ns):
        self.now += ns

    @rule(peer=STATIONS, data=st.data())
    def confirm(self, peer, data):
        if not self.asked:
            return
        entry = data.draw(st.sampled_from(self.asked[-4:]))
        station, down, when = entry
        forged = data.draw(st.sampled_from(["no", "no", "other bytes", "other nonce", "short"]))
        value = {
            "no": answer(CHACHA, down),
            "other bytes": answer(CHACHA, down + b"!"),
            "other nonce": answer(CHACHA, bytes(8) + down[8:]),
            "short": answer(CHACHA, down)[:-1],
        }[forged]
        is_good = (
            forged == "no"
            and self.open.get(station) is entry
            and self.now - when < VALID_NS
            and not (self.is_dual and peer == station)
        )
        try:
            done = self.confirmations.confirm(peer, CHACHA, value, self.now)
        except UnconfirmedError:
            done = None
        if done is None:
            assert not is_good
            return
        assert is_good
        assert (done.requester, done.encode()) == (station, down)
        del self.open[station]

    @rule()
    def expire(self):
        late = {s for s, entry in self.open.items() if self.now - entry[2] >= VALID_NS}
        assert {c.requester for c in self.confirmations.expired(self.now)} == late
        for station in late:
            del self.open[station]

    @rule()
    def clear(self):
        self.confirmations.clear()
        self.open.clear()


TestTwoSteps = pytest.mark.slow(TwoSteps.TestCase)
TestTwoSteps.settings = settings(max_examples=200 * EXAMPLES)


def test_once(random_bytes):
    confirmations = Confirmations(random_bytes, dual=False)
    value = answer(CHACHA, confirmations.ask("a", b"x", 0).encode())
    assert confirmations.confirm("a", CHACHA, value, 0).operation == b"x"
    with pytest.raises(UnconfirmedError):
        confirmations.confirm("a", CHACHA, value, 0)


def test_refusals_say_why(random_bytes):
    confirmations = Confirmations(random_bytes, dual=True)
    down = confirmations.ask("a", b"x", 0).encode()
    value = answer(CHACHA, down)
    for peer, sent, now, reason in (
        ("b", bytes(24), 0, Unconfirmed.UNKNOWN),
        ("b", value, VALID_NS, Unconfirmed.LATE),
        ("b", answer(CHACHA, down + b"!"), 0, Unconfirmed.WRONG),
        ("a", value, 0, Unconfirmed.SAME_STATION),
    ):
        with pytest.raises(UnconfirmedError) as caught:
            confirmations.confirm(peer, CHACHA, sent, now)
        assert caught.value.reason is reason
