"""Sealed logs, reading: the contents, with the recipient's private key."""

from dataclasses import dataclass

from crypto.log_chain import (
    NOTHING_KNOWN,
    Damage,
    Known,
    LogChain,
    LogState,
    SignedHeader,
    Verdict,
)
from crypto.primitives import AEADS, AuthenticationError, InvalidTagError, XWingKeyPair
from crypto.sealed_log import NONCE, Ratchet


@dataclass(frozen=True, slots=True)
class LogChunk:
    """An opened chunk; `head` is the head of the chain after it."""

    index: int
    data: bytes
    head: bytes


class SealedLogReader:
    """Open a file, taken in pieces of any size, with the recipient's private key.

    Invariant: what `receive_untrusted` returns was sealed by the writer, is complete up to there
    and in order; nothing after the first damage is returned.
    """

    def __init__(self, key: XWingKeyPair, known: Known = NOTHING_KNOWN) -> None:
        self._chain = LogChain(known)
        self._key = key
        self._ratchet: Ratchet | None = None
        self._head = b""
        self._failed: Verdict | None = None

    @property
    def header(self) -> SignedHeader | None:
        """What the file says of itself, once enough of it has been read."""
        return self._chain.header

    def receive_untrusted(self, data: bytes) -> list[LogChunk]:
        """Take the next bytes of the file; return the chunks that they complete."""
        opened: list[LogChunk] = []
        sealed = [] if self._failed is not None else self._chain.receive_untrusted(data)
        header = self._chain.header
        if header is not None and self._ratchet is None and self._failed is None:
            self._unwrap(header)
        for chunk in sealed:
            if self._failed is not None or self._ratchet is None:
                break
            cipher = AEADS["ChaChaPoly"](self._ratchet.next_key(chunk.chunk_head))
            try:
                data = cipher.decrypt(NONCE, chunk.body, None)
            except InvalidTagError:
                self._failed = Verdict(
                    LogState.DAMAGED, chunk.index, self._head, chunk.offset, Damage.FORGED
                )
                break
            self._head = chunk.chain_head
            if not chunk.is_end:
                opened.append(LogChunk(chunk.index, data, self._head))
        return opened

    def finish(self) -> Verdict:
        """Return the verdict, given that the file ends here."""
        return self._chain.finish() if self._failed is None else self._failed

    def _unwrap(self, header: SignedHeader) -> None:
        self._head = header.hash
        try:
            file_key = self._key.open(header.wrapped_key, header.wrap_info)
        except AuthenticationError:
            self._failed = Verdict(LogState.DAMAGED, 0, b"", 0, Damage.OTHER_KEY)
        else:
            self._ratchet = Ratchet(file_key, header.hash)


def open_sealed_log(
    key: XWingKeyPair, data: bytes, known: Known = NOTHING_KNOWN
) -> tuple[list[LogChunk], Verdict]:
    """Return the chunks of a whole file held in memory, and the verdict."""
    reader = SealedLogReader(key, known)
    return reader.receive_untrusted(data), reader.finish()
