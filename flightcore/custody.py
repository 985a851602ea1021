"""What the companion holds in trust, sans-I/O: the pairs' next keys, and who has been revoked.

Both come as transfers that any paired station may bring, and both take effect in the safe order: a
key is used when it is on disk, a revoked station is shut out before its list is.
"""

from collections.abc import Callable
from typing import NamedTuple

from crypto.chunks import Blob, Kind
from crypto.pair import PairRecord
from crypto.responder import Responder
from crypto.revocation import (
    AuthorityPublic,
    RefusedListError,
    RevocationList,
    accept_untrusted,
)
from flightcore.paired import PairedGround
from wire.trail import Event, Topic


class AcceptedList(NamedTuple):
    """A revocation list that has been verified, and the bytes it came in."""

    revocations: RevocationList
    signed: bytes


Saved = PairRecord | AcceptedList


class Custody:
    """Keys and revocations of one companion, whose `link` and `stations` it changes.

    `revocations` is always the list on disk. `note` takes what the log should say.
    """

    def __init__(
        self,
        link: Responder,
        stations: dict[str, PairedGround],
        fleet: AuthorityPublic | None,
        revocations: RevocationList,
        note: Callable[[Event, int], None],
    ) -> None:
        self.revocations = revocations
        self._link = link
        self._stations = stations
        self._fleet = fleet
        self._note = note
        self._to_save: list[Saved] = []

    def to_save(self) -> list[Saved]:
        """Return what must be written to disk, in this order, each to be followed by `saved`."""
        out, self._to_save = self._to_save, []
        return out

    def changed(self, record: PairRecord, now_ns: int) -> None:
        """Have a pair's keys written, as a handshake has changed them."""
        self._to_save.append(record)
        text = f"{record.peer}: pre-shared key {record.psk_generation}"
        self._note(Event(Topic.KEY, text, by=record.peer), now_ns)

    def receive(self, station: PairedGround, blob: Blob, now_ns: int) -> None:
        """Take what a station has brought whole."""
        match blob:
            case Blob(kind=Kind.ENCAPSULATION_KEY, data=ek):
                self._receive_key(station, ek, now_ns)
            case Blob(kind=Kind.REVOCATIONS, data=data):
                self._receive_list(station, data, now_ns)
            case _:
                pass

    def saved(self, item: Saved, now_ns: int) -> None:
        """Let something take effect: it is on disk."""
        if isinstance(item, AcceptedList):
            self._keep(item.revocations)
            for station in self._stations.values():
                station.authority_due_ns = now_ns  # it is told which list is in force
            return
        paired = self._stations.get(item.peer)
        record = None if paired is None else paired.saved(item)
        if record is not None:
            self._link.replace_record(record, now_ns)

    def save_failed(self, item: Saved) -> None:
        """Go on with what is on disk."""
        if isinstance(item, PairRecord) and item.peer in self._stations:
            self._stations[item.peer].not_saved()

    def revoked_on_disk(
        self, fleet: AuthorityPublic | None, revocations: RevocationList, now_ns: int
    ) -> None:
        """Heed what was installed on this machine: the fleet authority, and the list in force."""
        self._fleet = fleet
        self._keep(revocations)
        self._revoke(revocations, now_ns)

    def shut_out(self, name: str, now_ns: int) -> None:
        """Close the sessions of a station and answer it no more until a restart."""
        self._link.forget(name, now_ns)
        del self._stations[name]
        self._note(Event(Topic.REVOCATION, f"{name}: shut out"), now_ns)

    def _receive_key(self, station: PairedGround, ek: bytes, now_ns: int) -> None:
        record = station.offer_key(ek)
        if record is None:
            station.uplink.dropped["ratchet_refused"] += 1
            return
        # Until the new key is on disk neither it nor the one it replaces is good for a handshake.
        self._link.replace_record(record.with_next(None), now_ns)
        self._to_save.append(record)

    def _receive_list(self, station: PairedGround, data: bytes, now_ns: int) -> None:
        """Take a list that any paired station may bring: only the fleet authority can make one."""
        if self._fleet is None:
            station.uplink.dropped["revocation_no_authority"] += 1
            return
        try:
            revocations = accept_untrusted(data, self.revocations, self._fleet)
        except RefusedListError as error:
            station.uplink.dropped[error.reason] += 1
            return
        self._to_save.append(AcceptedList(revocations, data))
        text = f"{station.name}: brings revocation list {revocations.serial}"
        self._note(Event(Topic.REVOCATION, text, by=station.name), now_ns)
        self._revoke(revocations, now_ns)

    def _revoke(self, revocations: RevocationList, now_ns: int) -> None:
        """Shut out whom a verified list names, at once: this is safe before it is on disk."""
        for name, station in list(self._stations.items()):
            if revocations.revokes(station.peer.record):
                text = f"{name}: revoked by list {revocations.serial}"
                self._note(Event(Topic.REVOCATION, text), now_ns)
                self.shut_out(name, now_ns)

    def _keep(self, revocations: RevocationList) -> None:
        """Refuse older lists from now on: this one is on disk.

        Not before, so that one that could not be written is written when it comes again.
        """
        if revocations.serial > self.revocations.serial:
            self.revocations = revocations
