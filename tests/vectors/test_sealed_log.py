"""The frozen file of tests/data/vectors/sealed-log.json: what another implementation must read."""

import json
from pathlib import Path

from crypto.log_chain import Known, LogState
from crypto.log_reader import open_sealed_log
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent, LogHeader, SealedLogWriter
from tests import slow_log

VECTOR = json.loads(
    (Path(__file__).parents[1] / "data/vectors/sealed-log.json").read_text(),
)


def value(key):
    found = VECTOR[key]
    return bytes.fromhex(found) if isinstance(found, str) else [bytes.fromhex(v) for v in found]


def test_the_product_reads_it():
    pair, signer = XWingKeyPair(value("recipient_seed")), Ed25519(value("signer_seed"))
    assert pair.public == value("recipient_public")
    assert signer.public == value("signer_public")
    chunks, verdict = open_sealed_log(pair, value("file"), Known(signer.public, value("heads")[4]))
    assert [chunk.data for chunk in chunks] == value("data")
    assert [chunk.head for chunk in chunks] == value("heads")[1:4]
    assert verdict == (LogState.CLEAN, 3, value("heads")[4], len(value("file")), None, None)


def test_the_slow_reader_finds_every_intermediate_value():
    found = slow_log.trace(value("recipient_seed"), value("file"))
    assert found == {key: value(key) for key in ("file_key", "heads", "secrets", "keys", "data")}


def test_the_product_writes_the_same_but_for_the_wrapped_key():
    """HPKE takes its randomness itself, and the signature, links and tags follow from it."""
    header = LogHeader(
        LogContent(VECTOR["content"]),
        value("device_id"),
        VECTOR["boot_count"],
        VECTOR["file_number"],
    )
    signer, file_key = Ed25519(value("signer_seed")), value("file_key")
    writer = SealedLogWriter(value("recipient_public"), header, signer, lambda _: file_key)
    file = b"".join((writer.header_bytes, *map(writer.append, value("data")), writer.finish()))
    assert file[:76] == value("file")[:76]
    assert len(file) == len(value("file"))
    found = slow_log.trace(value("recipient_seed"), file)
    assert (found["file_key"], found["data"]) == (file_key, value("data"))
