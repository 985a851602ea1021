"""The channel against what each condition promises, on a clock of its own.

Mutants killed: a burst that never ends; order kept for reordered datagrams, and lost for those with
jitter; a narrow line that forgets what waits; a buffer without an end; a blackout that is heard;
flips that cancel; a duplicate that arrives once; held datagrams released last first; datagrams held
that are too short; replays into the other direction; a deadline that is never in the future.
"""

import itertools
import tomllib
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.channel_command import _EXAMPLE
from sim.channel.air import Air
from sim.channel.script import ATTACKS, Burst, Conditions, Phase, Script, Way, attack

MS = 1_000_000
S = 1000 * MS


def air(conditions: Conditions, seed: int = 1, **kwargs) -> Air:
    return Air(Script((Phase(0.0, conditions),), seed), **kwargs)


def carried(channel: Air, count: int, gap_ns: int = 10 * MS, size: int = 60):
    """Send numbered datagrams forth; return (arrival in ns, way, datagram) of what comes out."""
    out, now = [], 0
    for k in range(count):
        now = k * gap_ns
        channel.send(Way.FORTH, k.to_bytes(4, "big") + bytes(size - 4), now)
        out += [(now, *o) for o in channel.outgoing(now)]
    for _ in range(100_000):
        due = channel.deadline_ns()
        if due is None:
            break
        assert due > now
        now = due
        out += [(now, *o) for o in channel.outgoing(now)]
    return out


def numbers(out):
    return [int.from_bytes(d[:4], "big") for _, way, d in out if way is Way.FORTH]


def test_nothing_happens_by_itself():
    out = carried(air(Conditions()), 200)
    assert numbers(out) == list(range(200))
    assert [t for t, _, _ in out] == [k * 10 * MS for k in range(200)]


@given(st.sampled_from([0.0, 0.01, 0.3, 0.9, 1.0]), st.integers(0, 2**31))
@settings(max_examples=30)
def test_loss_is_the_share(share, seed):
    got = len(carried(air(Conditions(loss=share), seed), 2_000, MS))
    sigma = (2_000 * share * (1 - share)) ** 0.5
    assert abs(got - 2_000 * (1 - share)) <= 5 * sigma


def test_bursts_are_as_long_and_as_often_as_asked():
    found = set(numbers(carried(air(Conditions(burst=Burst(0.02, 0.25))), 40_000, MS)))
    lengths, run = [], 0
    for k in range(40_000):
        if k in found:
            if run:
                lengths.append(run)
            run = 0
        else:
            run += 1
    # The Gilbert model: geometric with mean 1 / end; a share begin / (begin + end) is lost.
    assert sum(lengths) / len(lengths) == pytest.approx(4.0, rel=0.1)
    assert 1.0 - len(found) / 40_000 == pytest.approx(0.02 / 0.27, rel=0.1)


def test_delay_and_jitter_keep_order():
    out = carried(air(Conditions(delay_ms=100.0, jitter_ms=80.0)), 500, 5 * MS)
    assert numbers(out) == list(range(500))
    late = [t - k * 5 * MS for k, (t, _, _) in enumerate(out)]
    assert min(late) >= 100 * MS
    assert max(late) <= 180 * MS
    assert max(late) - min(late) > 40 * MS


def test_reordering_overtakes_and_loses_nothing():
    out = numbers(carried(air(Conditions(reorder=0.2, reorder_ms=55.0)), 500))
    assert sorted(out) == list(range(500))
    late = sum(b < a for a, b in itertools.pairwise(out))
    assert 40 < late < 160


def test_duplicates_arrive_twice():
    count = Counter(numbers(carried(air(Conditions(duplicate=0.3)), 1_000)))
    assert set(count) == set(range(1_000))
    assert set(count.values()) == {1, 2}
    assert sum(count.values()) - 1_000 == pytest.approx(300, abs=75)


def test_a_narrow_line_carries_what_it_can_and_drops_the_rest():
    """Offered 60 kB/s, carries 10 kB/s, with a tenth of a second of buffer."""
    channel = air(Conditions(bytes_per_s=10_000, buffer_bytes=1_000))
    out = carried(channel, 3_000, MS, size=60)
    last = out[-1][0]
    assert len(out) * 60 == pytest.approx(10_000 * last / S, rel=0.02)
    waits = [t - n * MS for (t, _, _), n in zip(out, numbers(out), strict=True)]
    assert max(waits) <= (1_000 + 2 * 60) / 10_000 * S
    assert channel.counts["overflowed"] == 3_000 - len(out)


def test_truncated_and_flipped():
    out = carried(air(Conditions(truncate=1.0)), 300)
    assert all(len(d) < 60 for _, _, d in out)
    assert min(len(d) for _, _, d in out) < 10
    flipped = carried(air(Conditions(flip=1.0)), 300)
    for k, (_, _, d) in enumerate(flipped):
        original = k.to_bytes(4, "big") + bytes(56)
        changed = sum(bin(a ^ b).count("1") for a, b in zip(d, original, strict=True))
        assert 1 <= changed <= 3
    channel = air(Conditions(flip=1.0))
    for k in range(200):
        channel.send(Way.FORTH, b"\x55", k * MS)
    assert b"\x55" not in {d for _, d in channel.outgoing(S)}


def test_reflection_goes_back_to_the_sender():
    out = carried(air(Conditions(reflect=1.0)), 50)
    assert Counter(way for _, way, _ in out) == {Way.FORTH: 50, Way.BACK: 50}


def test_replays_are_of_this_direction_and_of_sessions_before():
    earlier = {Way.FORTH: [b"old session"], Way.BACK: [b"never forth"]}
    script = Script((Phase(0.0, Conditions()), Phase(1.0, Conditions(replay_per_s=200.0))))
    channel = Air(script, earlier)
    for k in range(20):
        channel.send(Way.FORTH, b"fresh%02d" % k, k * 10 * MS)
    assert len(channel.outgoing(900 * MS)) == 20
    played = []
    for k in range(100):
        played += channel.outgoing(S + k * 10 * MS)
    assert len([d for w, d in played if w is Way.FORTH]) == pytest.approx(200, abs=3)
    assert b"old session" in {d for _, d in played}
    assert {d for w, d in played if w is Way.BACK} == {b"never forth"}
    assert b"never forth" not in {d for w, d in played if w is Way.FORTH}


def test_injection_is_a_flood_of_noise():
    channel = air(Conditions(inject_per_s=5_000.0))
    got = []
    for k in range(101):
        got += channel.outgoing(k * 10 * MS)
    assert len(got) == pytest.approx(10_000, rel=0.02)  # both directions
    assert len({d for _, d in got}) > 9_900
    assert max(len(d) for _, d in got) <= 1_200


@pytest.mark.parametrize("conditions", [Conditions(inject_per_s=90), Conditions(replay_per_s=90)])
def test_a_stream_of_attacks_is_waited_for(conditions):
    """Whoever sleeps until the deadline wakes once for each, a ninetieth of a second apart."""
    channel, now, got = air(conditions, earlier={way: [b"x"] for way in Way}), 0, []
    channel.outgoing(now)
    for _ in range(45):
        due = channel.deadline_ns()
        assert due is not None
        assert due > now
        now = due
        got += channel.outgoing(now)
    assert len(got) == pytest.approx(90, abs=4)  # both directions
    assert now == pytest.approx(S / 2, rel=0.1)


def test_a_blackout_is_total_and_nothing_of_it_is_heard():
    phases = (Phase(0.0, Conditions(blackout=True)), Phase(1.0, Conditions(replay_per_s=100.0)))
    channel = Air(Script(phases))
    for k in range(50):
        channel.send(Way.FORTH, b"secret", k * 10 * MS)
    assert channel.outgoing(990 * MS) == []
    for k in range(50):
        assert channel.outgoing(S + k * 50 * MS) == []


def test_what_is_held_comes_in_order_when_the_phase_ends():
    phases = (
        Phase(0.0, Conditions(hold=True, hold_bytes=50), (Way.FORTH,)),
        Phase(2.0, Conditions(delay_ms=10.0)),
    )
    channel = Air(Script(phases))
    channel.send(Way.FORTH, b"short", 0)
    for k in range(5):
        channel.send(Way.FORTH, bytes([k]) * 60, k * 100 * MS)
        channel.send(Way.BACK, bytes([k]) * 60, k * 100 * MS)
    got = channel.outgoing(1_900 * MS)
    assert [d for w, d in got if w is Way.FORTH] == [b"short"]
    assert len([d for w, d in got if w is Way.BACK]) == 5
    assert channel.deadline_ns() == 2 * S
    assert channel.outgoing(2 * S) == []
    released = channel.outgoing(2 * S + 10 * MS)
    assert [d[0] for _, d in released] == [0, 1, 2, 3, 4]


CONDITIONS = st.builds(
    Conditions,
    loss=st.sampled_from([0.0, 0.2, 1.0]),
    burst=st.none() | st.builds(Burst, st.sampled_from([0.0, 0.1, 1.0]), st.just(0.5)),
    blackout=st.booleans(),
    delay_ms=st.sampled_from([0.0, 30.0]),
    jitter_ms=st.sampled_from([0.0, 20.0]),
    reorder=st.sampled_from([0.0, 0.5]),
    duplicate=st.sampled_from([0.0, 0.5]),
    bytes_per_s=st.sampled_from([0, 3_000]),
    buffer_bytes=st.sampled_from([0, 500]),
    truncate=st.sampled_from([0.0, 0.5]),
    flip=st.sampled_from([0.0, 0.5]),
    reflect=st.sampled_from([0.0, 0.5]),
    replay_per_s=st.sampled_from([0.0, 30.0]),
    hold=st.booleans(),
)


@given(st.lists(CONDITIONS, min_size=1, max_size=3), st.integers(0, 2**31), st.binary(max_size=9))
@settings(max_examples=100)
def test_any_script_accounts_for_every_datagram_and_repeats_itself(phases, seed, datagram):
    script = Script(tuple(Phase(0.3 * k, c) for k, c in enumerate(phases)), seed)

    def run():
        channel, out = Air(script), []
        for k in range(60):
            channel.send(Way(["forth", "back"][k % 2]), datagram, k * 15 * MS)
            out += channel.outgoing(k * 15 * MS)
        out += channel.outgoing(100 * S)
        return channel.counts, out

    counts, out = run()
    assert (counts, out) == run()
    assert counts["sent"] == 60
    held = counts["held"] - counts["released"]
    extra = counts["duplicated"] + counts["reflected"] + counts["replayed"]
    gone = counts["lost"] + counts["blacked out"] + counts["overflowed"] + held
    assert len(out) == counts["arrived"] == 60 + extra - gone


def test_the_script_of_the_help_text_is_read():
    text = _EXAMPLE.split("storm.toml:\n")[1]
    script = msgspec.convert(tomllib.loads(text), Script)
    script.check()
    assert script.conditions(Way.FORTH, 5.0) == Conditions()
    assert script.conditions(Way.FORTH, 65.0).blackout
    assert not script.conditions(Way.BACK, 65.0).blackout
    assert script.conditions(Way.BACK, 71.0).replay_per_s == 200.0


def test_phases_out_of_order_are_refused():
    with pytest.raises(ValueError, match="later"):
        Script((Phase(5.0, Conditions()), Phase(1.0, Conditions()))).check()


def test_what_is_tampered_with_was_heard_and_is_no_longer_it():
    sent = bytes(range(100))
    channel = air(Conditions(tamper_per_s=400.0), earlier={Way.FORTH: [sent]})
    got = [o for k in range(101) for o in channel.outgoing(k * 10 * MS)]
    assert len(got) == pytest.approx(400, abs=3)
    assert {way for way, _ in got} == {Way.FORTH}
    cut = [d for _, d in got if len(d) < len(sent)]
    assert all(sent.startswith(d) for d in cut)
    assert 20 < len(cut) < 90  # one in eight
    flips = [bits(sent, d) for _, d in got if len(d) == len(sent)]
    assert set(flips) == {1, 2, 3}


def bits(a: bytes, b: bytes) -> int:
    return sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True))


def test_injections_are_noise_forged_headers_and_what_the_attacker_has():
    channel = air(Conditions(inject_per_s=1_000.0), forged=[b"plain"])
    got = [d for k in range(101) for _, d in channel.outgoing(k * 10 * MS)]
    assert got.count(b"plain") == pytest.approx(len(got) / 3, rel=0.2)
    sealed = [d for d in got if d[0] & 0xC0 == 0x80]
    assert len(sealed) > 0.35 * len(got)  # a third, and a quarter of the noise


def test_another_script_begins_when_it_is_played_and_forgets_nothing():
    channel = air(Conditions(hold=True))
    channel.send(Way.FORTH, b"held", 0)
    assert channel.outgoing(5 * S) == []
    channel.play(Script((Phase(0.0, Conditions()), Phase(1.0, Conditions(blackout=True)))), 7 * S)
    assert channel.outgoing(7 * S) == [(Way.FORTH, b"held")]
    assert channel.deadline_ns() == 8 * S
    assert channel.heard(Way.FORTH) == [b"held"]
    channel.send(Way.FORTH, b"too late", 8 * S)
    assert channel.outgoing(9 * S) == []


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_scripts_that_end_quietly(name):
    script = attack(name)
    script.check()
    assert script.ends_s > 2.0
    for way in Way:
        assert script.conditions(way, script.ends_s) == Conditions()
        assert script.conditions(way, script.ends_s - 0.4) == Conditions()
