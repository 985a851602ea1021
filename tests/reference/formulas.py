"""The suites and their formulas, from their definitions: HMAC, HKDF, MAC, nonces, X25519."""

import hashlib
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305


class Suite(NamedTuple):
    number: int
    name: str
    noise: str  # the end of its Noise protocol names
    hash: object
    aead: object
    byteorder: str  # of the counter in a nonce: Noise, section 12


CHACHA = Suite(
    1, "chacha20-poly1305", "ChaChaPoly_BLAKE2s", hashlib.blake2s, ChaCha20Poly1305, "little"
)
AES = Suite(2, "aes-256-gcm", "AESGCM_SHA256", hashlib.sha256, AESGCM, "big")
SUITES = (CHACHA, AES)


def hashed(suite, data):
    return suite.hash(data).digest()


def hmac(suite, key, message):
    """RFC 2104: both hashes have 64-byte blocks."""
    if len(key) > 64:
        key = hashed(suite, key)
    key = key.ljust(64, b"\0")
    inner = hashed(suite, bytes(k ^ 0x36 for k in key) + message)
    return hashed(suite, bytes(k ^ 0x5C for k in key) + inner)


def kdf(suite, secret, info, salt=b""):
    """RFC 5869, extract and one block of expand."""
    return hmac(suite, hmac(suite, salt, secret), info + b"\x01")


def noise_hkdf(suite, ck, material, outputs):
    """Noise, section 4.3."""
    temp = hmac(suite, ck, material)
    found = [hmac(suite, temp, b"\x01")]
    for number in range(2, outputs + 1):
        found.append(hmac(suite, temp, found[-1] + bytes([number])))
    return found


def mac(suite, key, message):
    if suite is CHACHA:
        return hashlib.blake2s(message, key=key, digest_size=16).digest()
    return hmac(suite, key, message)[:16]


def nonce(suite, counter):
    return bytes(4) + counter.to_bytes(8, suite.byteorder)


def seal(suite, key, counter, data, associated):
    return suite.aead(key).encrypt(nonce(suite, counter), data, associated)


def unseal(suite, key, counter, data, associated):
    """Raises cryptography's InvalidTag."""
    return suite.aead(key).decrypt(nonce(suite, counter), data, associated)


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private, peer):
    key = X25519PrivateKey.from_private_bytes(private)
    return key.exchange(X25519PublicKey.from_public_bytes(peer))
