"""One key generation of one pair, at one end: seal, open, replay window, ack age.

The only place where a counter meets a key. The counter is taken before use, never goes back and
stops hard at 2^23, so a nonce cannot repeat; keys and counters live in memory only.
"""

from typing import Final, NamedTuple

from crypto.freshness import ACK_HANDSHAKE, SentTimes
from crypto.messages import DATA_BIT, DATA_HEADER_BYTES, INNER_RECORDS, Drop
from crypto.noise import Split
from crypto.primitives import Aead, InvalidTagError
from crypto.replay import ReplayWindow
from crypto.suites import Suite

COUNTER_LIMIT: Final = 1 << 23
LIFETIME_NS: Final = 24 * 3600 * 1_000_000_000
_UP_HEADER_BYTES = 5


class CounterExhaustedError(Exception):
    """This generation has sealed all the frames it may, or is a day old: a handshake must come."""


class Opened(NamedTuple):
    """An authenticated frame, not yet judged: freshness, authority and policy come next."""

    peer: str
    payload: bytes  # records
    age_bound_ns: int | None  # the frame is no older than this; None if nothing bounds its age
    order: tuple[int, int]  # (generation, counter): later frames of this peer compare greater
    epoch: int  # low byte of the authority epoch the sender believed in; 0 on the downlink
    is_newest: bool = True  # no later frame of its generation has been opened


class Generation:
    """Both directions of one key generation.

    `transcript` is the handshake hash, `psk_generation` the PSK the handshake used.

    Invariant: each counter is sealed at most once and opened at most once. The zero state has done
    neither. `uplink_sender` tells the ground's end, whose frames carry acknowledgement and epoch.
    """

    __slots__ = (
        "_ends_ns",
        "_nonce_order",
        "_open",
        "_prefix",
        "_seal",
        "ack",
        "local_index",
        "next_counter",
        "number",
        "psk_generation",
        "sent",
        "tag_failures",
        "transcript",
        "uplink_sender",
        "window",
    )

    def __init__(
        self,
        *,
        suite: Suite,
        number: int,
        local_index: int,
        remote_index: int,
        keys: Split,
        psk_generation: int,
        handshake_ns: int,
        uplink_sender: bool,
    ) -> None:
        self.number = number
        self.local_index = local_index
        self.uplink_sender = uplink_sender
        self.next_counter = 0
        self.window = ReplayWindow()
        self.sent = SentTimes(handshake_ns)
        self.transcript = keys.handshake_hash
        self.psk_generation = psk_generation
        self._ends_ns = handshake_ns + LIFETIME_NS
        self.ack = ACK_HANDSHAKE  # highest counter of the peer authenticated so far
        self.tag_failures = 0
        self._prefix = bytes((DATA_BIT | remote_index,))
        self._nonce_order = suite.nonce_order
        up, down = suite.aead(keys.initiator_key), suite.aead(keys.responder_key)
        self._seal: Aead = up if uplink_sender else down
        self._open: Aead = down if uplink_sender else up

    def seal(self, records: bytes, epoch: int, now_ns: int) -> bytes:
        """Return the datagram that carries `records` to the peer.

        Raises:
            CounterExhaustedError: The hard stop of 2^23 frames or 24 h has been reached.
        """
        counter = self.next_counter
        if counter >= COUNTER_LIMIT or now_ns >= self._ends_ns:
            raise CounterExhaustedError
        self.next_counter = counter + 1
        self.sent.record(now_ns)
        header = self._prefix + counter.to_bytes(3, "big")
        inner = (
            b"\x01" + self.ack.to_bytes(3, "big") + bytes((epoch & 0xFF,)) + records
            if self.uplink_sender
            else b"\x01" + records
        )
        nonce = b"\0\0\0\0" + counter.to_bytes(8, self._nonce_order)
        return header + self._seal.encrypt(nonce, inner, header)

    def open(self, datagram: bytes, peer: str, now_ns: int) -> Opened | Drop:
        """Authenticate a data frame, or say why it is dropped.

        A frame that is dropped has changed nothing but the count of forgeries. A reason is
        returned, not raised: under a flood this is most of what a receiver does.
        """
        counter = datagram[1] << 16 | datagram[2] << 8 | datagram[3]
        if not self.window.would_accept(counter):
            return Drop.REPLAYED
        if counter >= COUNTER_LIMIT:
            return Drop.COUNTER_LIMIT
        if now_ns >= self._ends_ns:
            return Drop.EXPIRED
        nonce = b"\0\0\0\0" + counter.to_bytes(8, self._nonce_order)
        try:
            inner = self._open.decrypt(
                nonce, datagram[DATA_HEADER_BYTES:], datagram[:DATA_HEADER_BYTES]
            )
        except InvalidTagError:
            self.tag_failures += 1
            return Drop.BAD_TAG
        is_newest = self.window.accept(counter)
        if is_newest:
            self.ack = counter
        order = (self.number, counter)
        if self.uplink_sender:
            if not inner or inner[0] != INNER_RECORDS:
                return Drop.MALFORMED
            return Opened(peer, inner[1:], None, order, 0, is_newest)
        if len(inner) < _UP_HEADER_BYTES or inner[0] != INNER_RECORDS:
            return Drop.MALFORMED
        ack = inner[1] << 16 | inner[2] << 8 | inner[3]
        bound = self.sent.age_bound_ns(ack, now_ns)
        return Opened(peer, inner[_UP_HEADER_BYTES:], bound, order, inner[4], is_newest)
