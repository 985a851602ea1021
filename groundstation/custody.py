"""What one drone's keys need, sans-I/O: the ratchet, revocation lists, and what must be on disk.

Transfers live within one session; one record is written at a time, so that the keys in memory are
those on disk.
"""

from collections import Counter
from typing import Final

from crypto.chunks import Blob, Kind, Transfers
from crypto.initiator import Initiator
from crypto.pair import PairRecord
from crypto.primitives import AuthenticationError, RandomBytes
from crypto.ratchet import ANSWER_BYTES, RATCHET_EVERY_NS, RatchetOffer

# A drone that refuses a list is asked again, but not all the time.
REVOCATIONS_EVERY_NS: Final = 60_000_000_000


class Custody:
    """Keys of one drone, whose `link` it changes. The zero state has no session, offers nothing."""

    def __init__(self, link: Initiator, random_bytes: RandomBytes, dropped: Counter[str]) -> None:
        self.transfers = Transfers({Kind.CIPHERTEXT: ANSWER_BYTES}, dropped)
        self._link = link
        self._random_bytes = random_bytes
        self._dropped = dropped
        self._offer: RatchetOffer | None = None
        self._ratchet_due_ns = 0
        self._to_save: list[PairRecord] = []
        self._saving = 0  # handed out, and not yet said to be on disk
        self._revocations = (0, b"")  # serial, signed list
        self._revocations_due_ns = 0

    def begin_session(self) -> None:
        """Start over: what was under way belonged to another session."""
        self._offer = None
        self._revocations_due_ns = 0
        self.transfers.restart()

    def changed(self, record: PairRecord, now_ns: int) -> None:
        """Have a pair record written, as a handshake has changed it."""
        self._to_save.append(record)
        self._ratchet_due_ns = now_ns + RATCHET_EVERY_NS

    def receive(self, blob: Blob, now_ns: int) -> None:
        """Take what the drone has sent whole: the answer to the offer."""
        if self._offer is None:
            return
        offer, self._offer = self._offer, None
        self._ratchet_due_ns = now_ns + RATCHET_EVERY_NS
        try:
            psk = offer.finish(blob.data)
        except AuthenticationError:
            self._dropped["ratchet_refused"] += 1
            return
        self._to_save.append(self._link.pair.with_next(psk))

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        return self._ratchet_due_ns if self._wants_ratchet else None

    def tick(self, now_ns: int) -> None:
        """Begin a ratchet when it is due."""
        session = self._link.session
        if self._wants_ratchet and now_ns >= self._ratchet_due_ns and session is not None:
            self._offer = RatchetOffer(self._link.pair, session.transcript, self._random_bytes)
            self.transfers.send(Kind.ENCAPSULATION_KEY, self._offer.encapsulation_key)

    def outgoing_saves(self) -> list[PairRecord]:
        """Return the pair records that must be written to disk, each to be followed by `saved`."""
        out, self._to_save = self._to_save, []
        self._saving += len(out)
        return out

    def saved(self, record: PairRecord) -> None:
        """Use a record that is on disk; one that fills the second slot is tried at once."""
        self._saving -= 1
        pair = self._link.pair
        if record.psk_generation == pair.psk_generation and pair.next_psk is None:
            self._link.replace_record(record)

    def save_failed(self, now_ns: int) -> None:
        """Go on with what is on disk: a record could not be written."""
        self._dropped["not_saved"] += 1
        self._saving -= 1
        self._ratchet_due_ns = now_ns + RATCHET_EVERY_NS

    def bring_revocations(self, serial: int, signed: bytes) -> None:
        """Bring a fleet authority's list to the drone, if the drone has none as new."""
        self._revocations = (serial, signed)
        self._revocations_due_ns = 0
        if self.transfers.is_sending(Kind.REVOCATIONS):  # the one before
            self.transfers.send(Kind.REVOCATIONS, signed)

    def revocations_there(self, serial_there: int, now_ns: int) -> None:
        """Begin to carry the list when the drone has said that it has an older one."""
        serial, signed = self._revocations
        if serial <= serial_there:
            return
        is_on_its_way = self.transfers.is_sending(Kind.REVOCATIONS)
        if not is_on_its_way and now_ns < self._revocations_due_ns:
            return
        self._revocations_due_ns = now_ns + REVOCATIONS_EVERY_NS
        if not is_on_its_way:
            self.transfers.send(Kind.REVOCATIONS, signed)

    @property
    def _wants_ratchet(self) -> bool:
        is_free = self._offer is None and self._saving == 0
        return self._link.is_established and is_free and self._link.pair.next_psk is None
