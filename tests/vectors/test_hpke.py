"""HPKE: our slow second implementation reproduces the vectors, and the product agrees with it.

The library's interface takes no associated data, so most vectors cannot be put to it directly; the
slow one takes them all and then plays both ends against the product.

Mutants that died here: public halves swapped, seed expanded to X25519 first, `info` not passed on
by seal or by open.
"""

import json
from pathlib import Path

import pytest

from crypto.primitives import HPKE_OVERHEAD, AuthenticationError, XWingKeyPair, hpke_seal
from tests.slow_hpke import CIPHERS, DECAPSULATE, XWING, open_sealed, schedule

DATA = Path(__file__).parents[1] / "data/vectors"
X25519_VECTORS = json.loads((DATA / "hpke-rfc9180-x25519-hkdfsha256.json").read_text())
XWING_VECTORS = json.loads((DATA / "hpke-xwing.json").read_text())


def test_the_slow_implementation_reproduces_the_base_mode_vectors():
    checked = 0
    for vector in X25519_VECTORS + XWING_VECTORS:
        if vector["mode"] != 0:
            continue
        kem, aead = vector["kem_id"], vector["aead_id"]
        private, enc, info = (bytes.fromhex(vector[key]) for key in ("skRm", "enc", "info"))
        secret = DECAPSULATE[kem](private, enc)
        assert secret.hex() == vector["shared_secret"]
        key, nonce = schedule(kem, aead, secret, info)
        assert (key.hex(), nonce.hex()) == (vector["key"], vector["base_nonce"])
        for sequence, case in enumerate(vector["encryptions"]):
            own = (int.from_bytes(nonce, "big") ^ sequence).to_bytes(12, "big")
            sealed = CIPHERS[aead](key).encrypt(
                own, bytes.fromhex(case["pt"]), bytes.fromhex(case["aad"])
            )
            assert (own.hex(), sealed.hex()) == (case["nonce"], case["ct"])
            checked += 1
    assert checked == 3 * 16 + 10


def test_public_key_from_seed():
    for vector in XWING_VECTORS:
        assert XWingKeyPair(bytes.fromhex(vector["skRm"])).public.hex() == vector["pkRm"]


def test_the_product_opens_what_the_vectors_encapsulated():
    (vector,) = XWING_VECTORS
    seed, enc, info = (bytes.fromhex(vector[key]) for key in ("skRm", "enc", "info"))
    key, nonce = bytes.fromhex(vector["key"]), bytes.fromhex(vector["base_nonce"])
    sealed = enc + CIPHERS[3](key).encrypt(nonce, b"file key", b"")
    assert XWingKeyPair(seed).open(sealed, info) == b"file key"


@pytest.mark.parametrize("data", [b"", b"x", bytes(32), bytes(5000)])
def test_the_slow_implementation_opens_what_the_product_seals(random_bytes, data):
    pair = XWingKeyPair(random_bytes(32))
    sealed = hpke_seal(pair.public, data, b"info")
    assert len(sealed) == len(data) + HPKE_OVERHEAD
    assert open_sealed(XWING, 3, pair.seed, sealed, b"info") == data
    assert pair.open(sealed, b"info") == data
    assert hpke_seal(pair.public, data, b"info") != sealed


def test_another_key_info_or_a_change_does_not_open(random_bytes):
    pair = XWingKeyPair(random_bytes(32))
    sealed = hpke_seal(pair.public, b"file key", b"info")
    for key, data, info in [
        (XWingKeyPair(random_bytes(32)), sealed, b"info"),
        (pair, sealed, b"infos"),
        (pair, sealed, b""),
        *((pair, sealed[:size], b"info") for size in range(0, len(sealed), 97)),
        *(
            (pair, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], b"info")
            for at in range(0, len(sealed), 31)
        ),
    ]:
        with pytest.raises(AuthenticationError, match="not sealed to this key"):
            key.open(data, info)


@pytest.mark.parametrize("size", [0, 32, 1215, 1217])
def test_a_recipient_key_of_another_length(size):
    with pytest.raises(ValueError, match=f"1216 bytes, not {size}"):
        hpke_seal(bytes(size), b"", b"")
