"""Operations of sealed logs: starting a file, appending, reading."""

import os
from typing import Final

from benchmarks.clock import Batch, Case
from crypto.log_reader import open_sealed_log
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent, LogHeader, SealedLogWriter

_OPS: Final = 200
_FILES: Final = 5
_CHUNK: Final = bytes(4096)
_KEY: Final = XWingKeyPair(bytes(32))
_SIGNER: Final = Ed25519(bytes(32))
_HEADER: Final = LogHeader(LogContent.TLOG, bytes(16), 1, 1)


def logging() -> list[Case]:
    """What a recording costs, without its disk."""
    return [
        Case("log: start and finish a file", _whole_file),
        Case("log: append 4 KiB", _append),
        Case("log: open 4 KiB", _open),
    ]


def _writer() -> SealedLogWriter:
    return SealedLogWriter(_KEY.public, _HEADER, _SIGNER, os.urandom)


def _whole_file() -> Batch:
    def batch() -> int:
        for _ in range(_FILES):
            _writer().finish()
        return _FILES

    return batch


def _append() -> Batch:
    append = _writer().append

    def batch() -> int:
        for _ in range(_OPS):
            append(_CHUNK)
        return _OPS

    return batch


def _open() -> Batch:
    writer = _writer()
    file = writer.header_bytes + b"".join(writer.append(_CHUNK) for _ in range(_OPS))

    def batch() -> int:
        chunks, _ = open_sealed_log(_KEY, file)
        return len(chunks)

    return batch
