"""Blobs over an air that loses, repeats and reorders, against the list of what was sent.

Claims: what arrives is whole and was sent; each blob arrives at most once, and in the order in
which the blobs of its kind were sent; over any stretch the chunks of each kind take its share of
the link and one chunk; once the air is good, the last blob of each kind arrives and both ends have
nothing to say.

Mutants killed (docs/decisions/0014-mutants.md): a whole blob delivered again; acknowledgement taken
for the next blob; bitmap one off; chunks not sent again; share not kept; stragglers not told from
the next blob.
"""

import os
import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from crypto.chunks import SHAPES, Kind, Transfers

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "1"))
MS = 1_000_000
S = 1000 * MS
LIMITS = {
    Kind.ENCAPSULATION_KEY: 1568,
    Kind.CIPHERTEXT: 1584,
    Kind.REVOCATIONS: 8192,
    Kind.TRAJECTORY: 32_640,
}
SIZES = st.one_of(st.sampled_from([1, 63, 64, 65, 127, 128, 129, 1568]), st.integers(1, 1568))


class Chunks(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), rate=st.sampled_from([5760.0, 125_000.0]))
    def start(self, seed, rate):
        self.rng = random.Random(seed)
        self.rate = rate
        self.ends = [Transfers(LIMITS), Transfers(LIMITS)]
        self.now = 10**12
        self.air = []  # (when, to which end, piece)
        self.sent = {(end, kind): [] for end in (0, 1) for kind in Kind}
        self.arrived = {(end, kind): [] for end in (0, 1) for kind in Kind}
        self.chunks_at = ([], [])

    @rule(end=st.integers(0, 1), kind=st.sampled_from(list(Kind)), size=SIZES)
    def send(self, end, kind, size):
        data = self.rng.randbytes(size)
        self.sent[end, kind].append(data)
        self.ends[end].send(kind, data)

    @rule(
        ms=st.sampled_from([50, 500, 3000]),
        loss=st.sampled_from([0, 0.2, 0.6, 1]),
        repeat=st.sampled_from([0, 0.3]),
    )
    def run(self, ms, loss, repeat):
        for _ in range(0, ms, 50):
            self.now += 50 * MS
            for number, end in enumerate(self.ends):
                deadline = end.deadline_ns()
                while pieces := end.outgoing(self.now, self.rate):
                    assert deadline is not None
                    for piece in pieces:
                        if not piece.is_ack:
                            self.check_share(number, piece.value[0])
                        self.put(1 - number, piece, loss, repeat)
            due = [entry for entry in self.air if entry[0] <= self.now]
            self.air = [entry for entry in self.air if entry[0] > self.now]
            for _, number, piece in due:
                blob = self.ends[number].receive(piece, self.now)
                if blob is not None:
                    self.arrived[1 - number, blob.kind].append(blob.data)
            self.check()

    @rule(end=st.integers(0, 1), kind=st.sampled_from(list(Kind)), ms=st.sampled_from([500, 2000]))
    def supersede(self, end, kind, ms):
        """A blob takes the place of one just like it whose acknowledgements are still under way."""
        for _ in range(3):
            self.send(end, kind, 128)
            self.run(ms, 0, 0.3)

    def put(self, to, piece, loss, repeat):
        while True:
            if self.rng.random() >= loss:
                delay = self.rng.choice((0, 1, 1, 4, 40) if loss or repeat else (1,)) * 50 * MS
                self.air.append((self.now + delay, to, piece))
            if self.rng.random() >= repeat:
                return

    def check_share(self, number, kind):
        shape = SHAPES[kind]
        at = self.chunks_at[number]
        at.append((self.now, shape.on_air / (self.rate * shape.share)))
        for start, _ in at[-30:]:  # what each chunk must wait for, in seconds
            earned = sum(seconds for when, seconds in at[:-1] if when >= start)
            assert earned <= (self.now - start) / S + 1e-6, "chunks take more than their share"

    def check(self):
        for key, blobs in self.arrived.items():
            places = [self.sent[key].index(blob) for blob in blobs]
            assert places == sorted(set(places)), "twice, or out of order"
        assert not any(end.dropped["malformed_piece"] for end in self.ends)

    def teardown(self):
        if not hasattr(self, "ends"):
            return
        chunk_s = max(1.1 * shape.on_air / (self.rate * shape.share) for shape in SHAPES.values())
        for _ in range(40 + int(200 * chunk_s)):
            self.run(1000, 0, 0)
            if all(end.deadline_ns() is None for end in self.ends) and not self.air:
                break
        else:
            raise AssertionError("the ends never come to rest")
        for key, blobs in self.sent.items():
            assert not blobs or self.arrived[key][-1] == blobs[-1], "the last never arrived"


TestChunks = Chunks.TestCase
TestChunks.settings = settings(
    max_examples=40 * EXAMPLES,
    stateful_step_count=20,
)
