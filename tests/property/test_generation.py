"""One direction of one session with real tags, against a set: a frame opens once, a forgery never.

A forgery changes nothing, whatever counter it names: a window that is moved before the tag is
checked would let anybody shut the genuine frames out.

Mutants killed (docs/decisions/0014-mutants.md): acknowledges the last frame, not the newest;
directions swapped at both ends; one key for both directions; window moved before the tag is
checked.
"""

import random

from hypothesis import given
from hypothesis import strategies as st

from crypto.freshness import ACK_HANDSHAKE
from crypto.generation import COUNTER_LIMIT, Generation
from crypto.messages import Drop
from crypto.noise import Split
from crypto.replay import WINDOW_SIZE
from crypto.suites import SUITES

# Where among the sealed frames to go: near the newest, near the edge of the window, anywhere.
STEPS = st.one_of(
    st.integers(-3, 3),
    st.integers(-WINDOW_SIZE - 2, -WINDOW_SIZE + 2),
    st.integers(WINDOW_SIZE - 2, WINDOW_SIZE + 2),
    st.integers(-300, 300),
)
FORGED = st.sampled_from([None, None, "tag", "counter", "body"])


def ends(suite, seed):
    rng = random.Random(seed)
    keys = Split(*(rng.randbytes(32) for _ in range(3)))
    common = {"suite": suite, "number": 1, "local_index": 5, "remote_index": 5, "keys": keys}
    return [
        Generation(**common, psk_generation=0, handshake_ns=0, uplink_sender=is_ground)
        for is_ground in (True, False)
    ]


def forge(datagram, how):
    out = bytearray(datagram)
    match how:
        case "tag":
            out[-1] ^= 1
        case "body":
            out[6] ^= 0x80
        case "counter":  # the highest there is: what a moved window would suffer from most
            out[1:4] = (COUNTER_LIMIT - 1).to_bytes(3, "big")
    return bytes(out)


@given(
    suite=st.sampled_from(list(SUITES.values())),
    is_up=st.booleans(),
    seed=st.integers(0, 99),
    steps=st.lists(st.tuples(STEPS, FORGED), max_size=40),
)
def test_each_frame_opens_once_and_no_forgery_ever(suite, is_up, seed, steps):
    ground, drone = ends(suite, seed)
    sender, receiver = (ground, drone) if is_up else (drone, ground)
    sealed = [sender.seal(b"%d" % n, 0, n) for n in range(400)]
    opened = set()
    at = 150
    for step, forged in [(0, None), *steps]:
        at = min(max(0, at + step), len(sealed) - 1)
        top = max(opened, default=-1)
        datagram = forge(sealed[at], forged)
        frame = receiver.open(datagram, "peer", 500)
        if isinstance(frame, Drop):
            assert forged or at in opened or at <= top - WINDOW_SIZE
            continue
        assert not forged
        assert at not in opened
        assert at > top - WINDOW_SIZE
        opened.add(at)
        assert frame.payload == b"%d" % at
        assert frame.order == (1, at)
        assert frame.is_newest == (at > top)
    assert receiver.ack == max(opened, default=ACK_HANDSHAKE)
    # Their own frames, sent back: the directions have keys of their own.
    for datagram in sealed[-5:]:
        assert isinstance(sender.open(datagram, "peer", 500), Drop)


@given(suite=st.sampled_from(list(SUITES.values())))
def test_the_first_key_of_the_handshake_is_the_grounds(suite):
    """What both ends would swap together, only somebody else's implementation notices."""
    rng = random.Random(0)
    keys = [rng.randbytes(32) for _ in range(3)]
    for sender, key, inner in zip(
        ends(suite, 0), keys, (b"\x01\xff\xff\xff\x07x", b"\x01x"), strict=False
    ):
        sealed = sender.seal(b"x", 7, 0)
        assert sealed[:4] == bytes((0x85, 0, 0, 0))
        assert suite.aead(key).decrypt(bytes(12), sealed[4:], sealed[:4]) == inner
