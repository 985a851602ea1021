"""One paired ground station as the companion keeps it: what it sends, what is under way, counts."""

from typing import NamedTuple

from crypto.chunks import Kind, Piece, Transfers
from crypto.pair import PairRecord
from crypto.primitives import AuthenticationError
from crypto.ratchet import EK_BYTES, answer
from crypto.revocation import MAX_LIST_BYTES
from crypto.sessions import Peer
from flightcore.policy import Policy
from flightcore.uplink import Gate, Uplink
from wire.authority import Answer
from wire.fragments import Reassembler
from wire.locality import RADIO
from wire.priority import Priority, priority_of
from wire.records import CHALLENGE, CHUNK, CHUNK_ACK, encode_record
from wire.send_queue import SendQueue
from wire.summary import LinkSummary
from wire.trajectory import MAX_BYTES

_PRIORITY = {CHALLENGE: Priority.COMMAND, CHUNK: Priority.BULK, CHUNK_ACK: Priority.BULK}
_FINAL_ANSWERS = frozenset((Answer.DONE, Answer.OFFERED, Answer.WRITING))


class _Ratchet(NamedTuple):
    """A record with a new second slot, and the answer that waits for it to be on disk."""

    record: PairRecord
    reply: bytes
    session: int


class PairedGround:
    """Everything about one ground station that outlives a datagram, but its keys."""

    def __init__(self, peer: Peer, gate: Gate, policy: Policy) -> None:
        self.peer = peer
        self.uplink = Uplink(peer.role, gate, policy)
        self.summary = LinkSummary()
        self.heard_ns: int | None = None
        self.status_due_ns = 0
        self.authority_due_ns = 0
        self.request_number = 0
        self.request_order = (0, -1)  # of a datagram with this number
        self.request_answer = Answer.NONE
        self.transfers = Transfers(
            {
                Kind.ENCAPSULATION_KEY: EK_BYTES,
                Kind.REVOCATIONS: MAX_LIST_BYTES,
                Kind.TRAJECTORY: MAX_BYTES,
            },
            self.uplink.dropped,
        )
        self.queue: SendQueue | None = None  # only on the radio
        self.reassembler = Reassembler(self.uplink.dropped)
        self._ratchet: _Ratchet | None = None
        self._ratcheted = 0  # the last session in which a key was offered

    @property
    def name(self) -> str:
        """What the drone calls the station."""
        return self.peer.record.peer

    @property
    def station(self) -> bytes:
        """The station's 16-byte id."""
        return self.peer.record.gcs_id

    @property
    def is_on_radio(self) -> bool:
        """Tell whether the station was last heard over the serial radio."""
        return self.peer.path == RADIO

    def begin_session(self, number: int, now_ns: int) -> None:
        """Start over: transfers live within one session, and the station wants to know at once."""
        self.uplink.begin_session(number)
        self.transfers.restart()
        self.status_due_ns = self.authority_due_ns = now_ns
        self.request_number, self.request_answer = 0, Answer.NONE

    def is_of_session(self, order: tuple[int, int]) -> bool:
        """Tell whether a frame came under the live session: transfers live within one."""
        return self.peer.live is not None and self.peer.live.number == order[0]

    def is_repeated(self, number: int) -> bool:
        """Tell whether a request has been answered for good."""
        return number == self.request_number and self.request_answer in _FINAL_ANSWERS

    def put(self, record: bytes, now_ns: int) -> None:
        """Queue a MAVLink frame or a record for the radio."""
        assert self.queue is not None
        kind = record[0]
        priority = priority_of(record) if kind >= 0x80 else _PRIORITY.get(kind, Priority.STATUS)
        self.queue.put(priority, record, now_ns)

    @property
    def may_carry(self) -> bool:
        """Tell whether pieces of a transfer may be asked for: on the radio one waits at a time."""
        return self.queue is None or not self.queue.waiting(Priority.BULK)

    def offer_key(self, ek: bytes) -> PairRecord | None:
        """Take an encapsulation key; return the record that must be on disk before the answer.

        None if the session does not use the newest key or has had its ratchet, or `ek` is none:
        nobody wears out the disk.
        """
        record, live = self.peer.record, self.peer.live
        if live is None or live.psk_generation != record.psk_generation:
            return None
        if self._ratcheted == live.number:
            return None
        try:
            psk, reply = answer(record, ek, live.transcript)
        except AuthenticationError:
            return None
        self._ratchet = _Ratchet(record.with_next(psk), reply, live.number)
        self._ratcheted = live.number
        return self._ratchet.record

    def saved(self, record: PairRecord) -> PairRecord | None:
        """Note that a record is on disk; return it if it has to be used from now on."""
        ratchet = self._ratchet
        if ratchet is None or ratchet.record is not record:
            return None  # it says what the keys in memory say already
        self._ratchet = None
        live = self.peer.live
        if live is not None and live.number == ratchet.session:
            self.transfers.send(Kind.CIPHERTEXT, ratchet.reply)
        return record

    def not_saved(self) -> None:
        """Give up a ratchet whose key could not be written."""
        self._ratchet = None


def encode_piece(piece: Piece) -> bytes:
    """Return the record that carries a piece of a transfer."""
    return encode_record(CHUNK_ACK if piece.is_ack else CHUNK, piece.value)
