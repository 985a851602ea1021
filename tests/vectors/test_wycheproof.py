"""The primitives hold against every Wycheproof case given, and ML-KEM-1024 against known answers.

Each is called through the wrapper that the product calls. Not covered: encapsulation with given
randomness, which the library does not offer; there, keys are accepted or refused and the secret
must come back.

Mutants that died here: an exchange that lets the all-zero secret pass; a public ML-KEM key that is
only checked for its length; a ciphertext cut to the length that is needed.
"""

import json
from pathlib import Path

import pytest

from crypto.primitives import (
    AEADS,
    HASHES,
    ML_KEM_768,
    ML_KEM_1024,
    ML_KEM_SEED_BYTES,
    AuthenticationError,
    InvalidTagError,
    KeyPair,
    MlKemKeyPair,
    hkdf,
)

VECTORS = Path(__file__).parents[1] / "data/vectors"


def cases(name: str) -> list[dict]:
    document = json.loads((VECTORS / f"wycheproof-{name}_test.json").read_text())
    found = [case for group in document["testGroups"] for case in group["tests"]]
    assert len(found) == document["numberOfTests"]
    return found


def hexed(case: dict, *keys: str) -> list[bytes]:
    return [bytes.fromhex(case[key]) for key in keys]


def test_chacha20_poly1305():
    for case in cases("chacha20_poly1305"):
        key, nonce, data, message, sealed, tag = hexed(case, "key", "iv", "aad", "msg", "ct", "tag")
        cipher = AEADS["ChaChaPoly"](key)
        if case["result"] == "valid":
            assert cipher.encrypt(nonce, message, data) == sealed + tag, case["tcId"]
            assert cipher.decrypt(nonce, sealed + tag, data) == message, case["tcId"]
        else:
            with pytest.raises((InvalidTagError, ValueError)):
                cipher.decrypt(nonce, sealed + tag, data)
            if len(nonce) != 12:
                with pytest.raises(ValueError, match=r"[Nn]once"):
                    cipher.encrypt(nonce, message, data)


def test_hkdf_sha256():
    for case in cases("hkdf_sha256"):
        secret, salt, info, output = hexed(case, "ikm", "salt", "info", "okm")
        arguments = {"salt": salt, "info": info, "size": case["size"]}
        if case["result"] == "valid":
            assert hkdf(HASHES["SHA256"](), secret, **arguments) == output, case["tcId"]
        else:
            with pytest.raises(ValueError, match="larger than"):
                hkdf(HASHES["SHA256"](), secret, **arguments)


def test_x25519():
    low_order = 0
    for case in cases("x25519"):
        public, private, shared = hexed(case, "public", "private", "shared")
        if "ZeroSharedSecret" in case["flags"]:
            low_order += 1
            with pytest.raises(AuthenticationError, match="refused"):
                KeyPair(private).exchange(public)
        else:
            assert KeyPair(private).exchange(public) == shared, case["tcId"]
    assert low_order == 31


@pytest.mark.parametrize("size", [0, 31, 33, 1000])
def test_x25519_point_of_another_length(size):
    with pytest.raises(AuthenticationError, match="refused"):
        KeyPair(bytes(range(32))).exchange(bytes(size))


def test_ml_kem_768_decapsulation():
    for case in cases("mlkem_768"):
        seed, ciphertext, secret = hexed(case, "seed", "c", "K")
        if case["result"] == "valid":
            pair = MlKemKeyPair(ML_KEM_768, seed)
            assert pair.public.hex() == case["ek"], case["tcId"]
            assert pair.decapsulate(ciphertext) == secret, case["tcId"]
        elif len(seed) != ML_KEM_SEED_BYTES:
            with pytest.raises(ValueError, match="seed is 64 bytes"):
                MlKemKeyPair(ML_KEM_768, seed)
        else:
            with pytest.raises(AuthenticationError, match=f"of {len(ciphertext)} bytes"):
                MlKemKeyPair(ML_KEM_768, seed).decapsulate(ciphertext)


def test_ml_kem_768_encapsulation():
    for case in cases("mlkem_768_encaps"):
        (public,) = hexed(case, "ek")
        if case["result"] == "valid":
            secret, ciphertext = ML_KEM_768.encapsulate(public)
            assert (len(secret), len(ciphertext)) == (32, ML_KEM_768.ciphertext_bytes)
        else:
            with pytest.raises(AuthenticationError, match="ML-KEM public key"):
                ML_KEM_768.encapsulate(public)


def test_ml_kem_1024_known_answers():
    answers = json.loads((VECTORS / "mlkem-1024-kat.json").read_text())
    assert len(answers["tests"]) == 10
    for case in answers["tests"]:
        seed, public, ciphertext, secret, refused, rejection = hexed(
            case, "seed", "ek", "c", "K", "c_refused", "K_refused"
        )
        pair = MlKemKeyPair(ML_KEM_1024, seed)
        assert pair.public == public
        assert pair.decapsulate(ciphertext) == secret
        assert pair.decapsulate(refused) == rejection


@pytest.mark.parametrize("parameters", [ML_KEM_768, ML_KEM_1024])
def test_ml_kem_carries_a_secret(parameters, random_bytes):
    pair = MlKemKeyPair(parameters, random_bytes(ML_KEM_SEED_BYTES))
    assert len(pair.public) == parameters.public_bytes
    assert MlKemKeyPair(parameters, pair.seed).public == pair.public
    secret, ciphertext = parameters.encapsulate(pair.public)
    assert len(ciphertext) == parameters.ciphertext_bytes
    assert pair.decapsulate(ciphertext) == secret
    assert parameters.encapsulate(pair.public) != (secret, ciphertext)
    changed = bytes((ciphertext[0] ^ 1,)) + ciphertext[1:]
    assert pair.decapsulate(changed) != secret
    with pytest.raises(AuthenticationError, match="public key of 0 bytes"):
        parameters.encapsulate(b"")
    with pytest.raises(AuthenticationError, match="refused"):
        parameters.encapsulate(b"\xff" * parameters.public_bytes)
    other = {ML_KEM_768: ML_KEM_1024, ML_KEM_1024: ML_KEM_768}[parameters]
    with pytest.raises(AuthenticationError, match="public key of"):
        other.encapsulate(pair.public)
