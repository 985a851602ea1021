"""HPKE (RFC 9180) a second time, from hmac, hashlib and plain primitives: to check the library by.

Receiver's and sender's key schedule of base mode, HKDF-SHA256; DHKEM(X25519) and X-Wing.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

X25519, XWING = 0x0020, 0x647A
KEY_BYTES = {1: 16, 2: 32, 3: 32}
CIPHERS = {1: AESGCM, 2: AESGCM, 3: ChaCha20Poly1305}


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def extract(suite, salt, label, material):
    return mac(salt, b"HPKE-v1" + suite + label + material)


def expand(suite, secret, label, info, size):
    info = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block, count = b"", b"", 0
    while len(out) < size:
        count += 1
        block = mac(secret, block + info + bytes([count]))
        out += block
    return out[:size]


def exchange(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(
        X25519PublicKey.from_public_bytes(public)
    )


def public_of(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def decapsulate_x25519(private, enc):
    suite = b"KEM" + X25519.to_bytes(2, "big")
    secret = extract(suite, b"", b"eae_prk", exchange(private, enc))
    return expand(suite, secret, b"shared_secret", enc + public_of(private), 32)


def decapsulate_xwing(seed, enc):
    expanded = hashlib.shake_256(seed).digest(96)
    ml_kem, x25519 = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), expanded[64:]
    lattice, point = enc[:1088], enc[1088:]
    return hashlib.sha3_256(
        ml_kem.decapsulate(lattice)
        + exchange(x25519, point)
        + point
        + public_of(x25519)
        + rb"\.//^"
        + b"\\"
    ).digest()


DECAPSULATE = {X25519: decapsulate_x25519, XWING: decapsulate_xwing}
ENC_BYTES = {X25519: 32, XWING: 1120}


def schedule(kem, aead, secret, info):
    """Return key and base nonce."""
    suite = b"HPKE" + kem.to_bytes(2, "big") + b"\x00\x01" + aead.to_bytes(2, "big")
    context = (
        b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    )
    secret = extract(suite, secret, b"secret", b"")
    return (
        expand(suite, secret, b"key", context, KEY_BYTES[aead]),
        expand(suite, secret, b"base_nonce", context, 12),
    )


def open_sealed(kem, aead, private, sealed, info):
    """Open what was sealed first, without associated data."""
    enc, ciphertext = sealed[: ENC_BYTES[kem]], sealed[ENC_BYTES[kem] :]
    key, nonce = schedule(kem, aead, DECAPSULATE[kem](private, enc), info)
    return CIPHERS[aead](key).decrypt(nonce, ciphertext, b"")
