"""The interpreter reproduces the cacophony vectors: every 25519 fundamental and psk pattern."""

import contextlib
import json
import re
from pathlib import Path

import pytest

from crypto.noise import HandshakeState, Keys, parse_protocol, transport_nonce
from crypto.primitives import AEADS, AuthenticationError, KeyPair

VECTORS = json.loads((Path(__file__).parents[1] / "data/vectors/noise-cacophony.json").read_text())[
    "vectors"
]
SUPPORTED = [
    v
    for v in VECTORS
    if re.match(r"Noise_[NKXI]{1,2}(psk\d(\+psk\d)*)?_25519_", v["protocol_name"])
]


def _side(vector: dict, role: str, *, initiator: bool) -> HandshakeState:
    def hexed(key: str) -> bytes | None:
        value = vector.get(f"{role}_{key}")
        return bytes.fromhex(value) if value else None

    static = hexed("static")
    ephemeral = hexed("ephemeral")
    keys = Keys(
        static=KeyPair(static) if static else None,
        remote_static=hexed("remote_static"),
        psks=tuple(bytes.fromhex(psk) for psk in vector.get(f"{role}_psks", [])),
    )
    return HandshakeState(
        parse_protocol(vector["protocol_name"]),
        keys,
        lambda _: ephemeral,
        initiator=initiator,
        prologue=hexed("prologue") or b"",
    )


def _run(vector: dict) -> None:
    sides = (_side(vector, "init", initiator=True), _side(vector, "resp", initiator=False))
    protocol = parse_protocol(vector["protocol_name"])
    messages = vector["messages"]
    count = len(protocol.messages)
    for index, message in enumerate(messages[:count]):
        writer, reader = sides[index % 2], sides[1 - index % 2]
        payload = bytes.fromhex(message["payload"])
        written = writer.write_message(payload)
        assert written.hex() == message["ciphertext"]
        assert reader.read_message(written) == payload
    first, second = (side.split() for side in sides)
    assert first == second
    assert first.handshake_hash.hex() == vector["handshake_hash"]
    one_way = count == 1
    counters = [0, 0]
    for index, message in enumerate(messages[count:], start=count):
        sender = 0 if one_way else index % 2
        key = (first.initiator_key, first.responder_key)[sender]
        nonce = transport_nonce(protocol.cipher, counters[sender])
        counters[sender] += 1
        sealed = AEADS[protocol.cipher](key).encrypt(nonce, bytes.fromhex(message["payload"]), b"")
        assert sealed.hex() == message["ciphertext"]


def test_a_message_that_fails_changes_nothing():
    for vector in SUPPORTED[::8]:
        sides = _side(vector, "init", initiator=True), _side(vector, "resp", initiator=False)
        count = len(parse_protocol(vector["protocol_name"]).messages)
        for index, message in enumerate(vector["messages"][:count]):
            writer, reader = sides[index % 2], sides[1 - index % 2]
            genuine = writer.write_message(bytes.fromhex(message["payload"]))
            with contextlib.suppress(AuthenticationError):
                # Messages without a key are not authenticated: only cut ones can be told.
                reader.read_message(genuine[:20])
                pytest.fail("a message cut within its ephemeral was accepted")
            reader.read_message(genuine)
        assert sides[0].split() == sides[1].split()


def test_vectors_of_the_product_pattern():
    mine = [v for v in SUPPORTED if v["protocol_name"].startswith("Noise_KKpsk0_25519_")]
    assert len(mine) == 8
    for vector in mine:
        _run(vector)


def test_every_fundamental_and_psk_vector():
    assert len(SUPPORTED) == 36 * 8
    for vector in SUPPORTED:
        _run(vector)


@pytest.mark.parametrize(
    "name",
    [
        "Noise_ZZ_25519_ChaChaPoly_BLAKE2s",
        "Noise_KK_448_ChaChaPoly_BLAKE2s",
        "KK",
        "",
        "Noise_KKpsk9_25519_ChaChaPoly_BLAKE2s",
        "Noise_KK_25519_Rot13_BLAKE2s",
    ],
)
def test_unknown_protocol_is_refused(name):
    with pytest.raises(ValueError, match="unknown Noise protocol"):
        parse_protocol(name)
