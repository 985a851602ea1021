"""Operations of sealed logs: starting a file, appending, reading."""

import os
from typing import Final

from benchmarks.clock import Batch, Case
from crypto.log_reader import open_sealed_log
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent, LogHeader, SealedLogWriter
from wire.recorder import Batch as FrameBatch
from wire.recorder import Recorder, When, encode_tlog

_OPS: Final = 200
_FILES: Final = 5
_CHUNK: Final = bytes(4096)
_FRAME: Final = bytes(50)
_KEY: Final = XWingKeyPair(bytes(32))
_SIGNER: Final = Ed25519(bytes(32))
_HEADER: Final = LogHeader(LogContent.TLOG, bytes(16), 1, 1)


def logging() -> list[Case]:
    """What a recording costs, without its disk."""
    return [
        Case("log: start and finish a file", _whole_file),
        Case("log: append 4 KiB", _append),
        Case("log: open 4 KiB", _open),
        Case("recorder: a frame that came alone", lambda: _record(1)),
        Case("recorder: a frame of ten that came together", lambda: _record(10)),
        Case("recorder, in its thread: encode a frame", _encode),
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


def _record(together: int) -> Batch:
    """What the control path pays: gathering, and cutting into chunks."""
    recorder = Recorder(When.ALWAYS)
    frames = [_FRAME] * together

    def batch() -> int:
        for _ in range(_OPS):
            recorder.receive(frames, 0)
        recorder.outgoing()
        return _OPS * together

    return batch


def _encode() -> Batch:
    batches = [FrameBatch(0, [_FRAME])] * _OPS

    def batch() -> int:
        encode_tlog(batches, 0)
        return _OPS

    return batch


def _open() -> Batch:
    writer = _writer()
    file = writer.header_bytes + b"".join(writer.append(_CHUNK) for _ in range(_OPS))

    def batch() -> int:
        chunks, _ = open_sealed_log(_KEY, file)
        return len(chunks)

    return batch
