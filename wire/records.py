"""Records: what one sealed frame carries, after its fixed inner header.

A record that starts with the MAVLink 2 magic is one raw MAVLink frame, whose own header says how
long it is; any other is ``type, length, value``. So a telemetry frame costs no byte beyond itself.
A zero byte ends the records: it and all after it are padding.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from wire.mavlink import MAGIC_V2, frame_bytes_untrusted

# Record types. 0x80 and above are never assigned, so that a magic byte cannot be one.
STATUS: Final = 0x01
FRAGMENT: Final = 0x03
REFUSALS: Final = 0x04  # down: what strangers have tried on the drone
AUTHORITY: Final = 0x10  # up: a request; down: who is in command
CHALLENGE: Final = 0x11
CONFIRM: Final = 0x12
TRAJECTORY: Final = 0x13  # up: a request; down: how it stands
CHUNK: Final = 0x20
CHUNK_ACK: Final = 0x21

# Lengths of whole datagrams that carry padded records: the smallest holds any one command, so that
# a command looks like a keepalive; 240 is the most a serial radio takes.
PADDED_BYTES: Final = (96, 160, 240, 480, 960, 1200)

RECORD_HEADER_BYTES: Final = 2
_COUNT_MASK: Final = 0xFFFFFFFF

Record = tuple[int, bytes]


class MalformedRecordsError(Exception):
    """The authenticated peer sent records that do not parse: none of them is used."""


def encode_record(kind: int, value: bytes) -> bytes:
    """Return one typed record."""
    if not 0 < kind < 0x80 or len(value) > 255:
        raise ValueError(f"record type {kind} with {len(value)} bytes cannot be encoded")
    return bytes((kind, len(value))) + value


def padded(records: bytes, overhead: int) -> bytes:
    """Return the records and as many zeros as make the datagram one of the padded lengths.

    `overhead` is what the datagram has besides records. What is longer than all stays as it is.
    """
    size = len(records) + overhead
    return records.ljust(next((n for n in PADDED_BYTES if n >= size), size) - overhead, b"\0")


def parse_records(payload: bytes) -> tuple[Sequence[bytes], Sequence[Record]]:
    """Split a payload into its MAVLink frames and its typed records, each in order.

    The frames' checksums are not looked at: the tag already vouches for the bytes.

    Raises:
        MalformedRecordsError: The payload is not a whole number of records.
    """
    frames: list[bytes] = []
    records: list[Record] = []
    at, size = 0, len(payload)
    while at < size:
        if payload[at] == MAGIC_V2:
            length = frame_bytes_untrusted(payload, at)
            if length is None or at + length > size:
                raise MalformedRecordsError("a MAVLink record runs past the end of the frame")
            frames.append(payload[at : at + length])
            at += length
        else:
            if payload[at] == 0:
                if payload.count(0, at) != size - at:
                    raise MalformedRecordsError("padding is not all zeros")
                break
            if payload[at] >= 0x80 or size - at < 2:
                raise MalformedRecordsError("not a record")
            length = payload[at + 1]
            if at + 2 + length > size:
                raise MalformedRecordsError("a record runs past the end of the frame")
            records.append((payload[at], payload[at + 2 : at + 2 + length]))
            at += 2 + length
    return frames, records


class DroneStatus(NamedTuple):
    """What the drone tells each ground station at least twice a second: 8 bytes.

    `ack` is the highest uplink counter of this generation that the drone has authenticated
    (0xFFFFFF: none yet), so the ground can bound the age of what it sees.
    """

    ack: int
    authority_epoch: int
    is_holder: bool

    def encode(self) -> bytes:
        """Return the STATUS record."""
        return encode_record(
            STATUS,
            self.ack.to_bytes(3, "big")
            + self.authority_epoch.to_bytes(4, "big")
            + bytes((self.is_holder,)),
        )

    @classmethod
    def parse(cls, value: bytes) -> "DroneStatus":
        """Parse the value of a STATUS record.

        Raises:
            MalformedRecordsError: It is not 8 bytes long.
        """
        if len(value) != 8:
            raise MalformedRecordsError("a STATUS record has 8 bytes")
        return cls(
            int.from_bytes(value[:3], "big"), int.from_bytes(value[3:7], "big"), value[7] == 1
        )


class Refusals(NamedTuple):
    """What the drone has refused from whoever sent it, since it started: 12 bytes.

    Each counts datagrams, modulo 2^32. Only the drone can count what is sent to it alone.
    """

    forged: int = 0  # a wrong tag, code or handshake
    replayed: int = 0  # came before
    unsealed: int = 0  # plain MAVLink

    def encode(self) -> bytes:
        """Return the REFUSALS record."""
        counts = (count & _COUNT_MASK for count in self)
        return encode_record(REFUSALS, b"".join(count.to_bytes(4, "big") for count in counts))

    @classmethod
    def parse(cls, value: bytes) -> "Refusals | None":
        """Parse the value of a REFUSALS record; None if it is not 12 bytes long."""
        if len(value) != 12:
            return None
        return cls(*(int.from_bytes(value[at : at + 4], "big") for at in (0, 4, 8)))

    def since(self, before: "Refusals") -> "Refusals":
        """Return what came after `before`, of the same start of the drone."""
        gained = ((now - then) & _COUNT_MASK for now, then in zip(self, before, strict=True))
        return Refusals(*gained)
