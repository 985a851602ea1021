"""What a drone's disk holds: pair record, authority, sealed recordings; kept in memory."""

from collections.abc import Sequence

from crypto.pair import PairRecord
from crypto.primitives import Ed25519, RandomBytes
from crypto.sealed_log import LogContent, LogHeader, SealedLogWriter
from flightcore.authority import AuthorityState
from flightcore.companion import Save
from wire.recorder import Chunk, End, encode_tlog
from wire.trail import Line, encode_lines


class Evidence:
    """Everything is written at once and nothing fails. The zero state has recorded nothing.

    Attributes:
        flights: Sealed recordings, as the files would be, oldest first.
        audit: The sealed audit log.
        pair: The pair record as last saved.
        authority: Who commands, as last saved.
        head: How far the recording has come, as handshakes tell it.
    """

    def __init__(
        self,
        pair: PairRecord,
        recipient: bytes,
        signer: Ed25519,
        random_bytes: RandomBytes,
        wall_offset_ns: int,
    ) -> None:
        self.pair = pair
        self.authority = AuthorityState()
        self.flights: list[bytearray] = []
        self.audit = bytearray()
        self.head = b""
        self._recipient = recipient
        self._signer = signer
        self._random_bytes = random_bytes
        self._wall_offset_ns = wall_offset_ns
        self._flight: SealedLogWriter | None = None
        self._lines = self._begin(LogContent.EVENTS, self.audit)

    def save(self, item: Save) -> None:
        """Keep what a companion wants to find again."""
        if isinstance(item, PairRecord):
            self.pair = item
        elif isinstance(item, AuthorityState):
            self.authority = item

    def record(self, items: Sequence[Chunk | End]) -> None:
        """Seal pieces of recordings."""
        for item in items:
            match item:
                case Chunk(batches=batches):
                    if self._flight is None:
                        self.flights.append(bytearray())
                        self._flight = self._begin(LogContent.TLOG, self.flights[-1])
                    data = encode_tlog(batches, self._wall_offset_ns)
                    self.flights[-1] += self._flight.append(data)
                case End() if self._flight is not None:
                    self.flights[-1] += self._flight.finish()
                    self._flight = None
                case End():
                    pass
            self.head = b"" if self._flight is None else self._flight.short_head

    def note(self, lines: Sequence[Line]) -> None:
        """Seal lines of the audit log."""
        if lines:
            self.audit += self._lines.append(encode_lines(lines, self._wall_offset_ns))

    def close(self) -> None:
        """Complete the audit log."""
        self.audit += self._lines.finish()

    def _begin(self, content: LogContent, file: bytearray) -> SealedLogWriter:
        header = LogHeader(content, self.pair.drone_id, 1, len(self.flights))
        writer = SealedLogWriter(self._recipient, header, self._signer, self._random_bytes)
        file += writer.header_bytes
        return writer
