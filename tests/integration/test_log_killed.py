"""A recorder killed with SIGKILL at any moment: what it had acknowledged is readable.

``SEKISHO_KILLS=1000 pytest tests/integration/test_log_killed.py`` kills more often.
What a power cut leaves beyond that, any prefix, is `tests/property/test_sealed_log.py`.

Mutants that died here: acknowledging one chunk ahead; no header before the first chunk; each chunk
written when the next one comes.
"""

import multiprocessing
import os
import random
import time

import pytest

from crypto.aio.log_files import LogFile, LogOrigin, SyncPolicy, list_logs
from crypto.log_chain import Known, LogState
from crypto.log_reader import open_sealed_log
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent

KILLS = int(os.environ.get("SEKISHO_KILLS", "40"))
KEY = XWingKeyPair(bytes(range(32)))
SIGNER = Ed25519(bytes(range(32)))
ACKNOWLEDGED = 4 + 32  # how many chunks, the head after them


def content(index):
    return b"%d " % index * (1 + index * 37 % 1500)


def record(directory, acknowledge):
    """Write chunks until killed; acknowledge each once it is synced."""
    origin = LogOrigin(KEY.public, SIGNER, bytes(16), 1)
    log = LogFile.create(directory, LogContent.EVENTS, origin, SyncPolicy(1, 0), os.urandom)
    assert isinstance(log, LogFile)
    while True:
        os.write(acknowledge.fileno(), log.synced.to_bytes(4, "big") + log.head)
        assert log.append(content(log.chunks), time.monotonic_ns()) is None


@pytest.mark.slow
def test_what_was_acknowledged_is_readable(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    moments = random.Random(9)
    ended_after = []
    for kill in range(KILLS):
        directory = tmp_path / str(kill)
        reading, writing = context.Pipe(duplex=False)
        process = context.Process(target=record, args=(directory, writing))
        process.start()
        writing.close()
        # The first acknowledgement says that it runs; then any moment will do.
        told = os.read(reading.fileno(), ACKNOWLEDGED)
        time.sleep(moments.choice([0, 0.0005, 0.002, 0.01]) * moments.random())
        process.kill()
        process.join(10)
        while more := os.read(reading.fileno(), 1 << 16):
            told = (told + more)[-ACKNOWLEDGED:]
        reading.close()
        synced, head = int.from_bytes(told[:4], "big"), told[4:]
        (path,) = list_logs(directory)
        chunks, verdict = open_sealed_log(KEY, path.read_bytes(), Known(SIGNER.public, head))
        assert verdict.state is LogState.CUT_SHORT
        assert len(chunks) >= synced
        assert [chunk.data for chunk in chunks] == [content(i) for i in range(len(chunks))]
        ended_after.append(len(chunks))
    assert len(set(ended_after)) > min(3, KILLS - 1), "the moments were all alike"
