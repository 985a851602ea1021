"""The sealed log format a second time, straight from docs/sealed-logs.md, for a file held whole.

Shares no code with the product: hmac, hashlib, a plain AEAD, Ed25519 and the slow HPKE.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.slow_hpke import XWING, open_sealed


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def read(seed, file):
    """Return the plaintexts of a clean file; assert at anything unexpected."""
    return trace(seed, file)["data"]


def trace(seed, file):
    """Return all intermediate values of a clean file."""
    assert file[:8] == bytes.fromhex("89534c314c4f470a")
    assert file[8] == 1
    assert file[9] in (1, 2)
    assert file[10:12] == b"\0\0"
    signer = Ed25519PublicKey.from_public_bytes(file[44:76])
    signer.verify(file[1244:1308], b"SL1 log header" + file[:1244])
    file_key = open_sealed(XWING, 3, seed, file[76:1244], b"SL1 log file key" + file[:76])
    heads = [sha256(file[:1308])]
    secrets = [mac(mac(heads[0], file_key), b"SL1 log chain\x01")]  # HKDF, one block
    at, keys, data = 1308, [], []
    while True:
        place = file[at : at + 8]
        index, word = int.from_bytes(place[:4], "big"), int.from_bytes(place[4:], "big")
        assert index == len(data)
        assert file[at + 8 : at + 40] == sha256(heads[-1] + place)
        chunk = file[at : at + 40 + (word & 0x7FFFFFFF) + 16]
        at += len(chunk)
        keys.append(mac(secrets[-1], b"SL1 log chunk" + chunk[:40]))
        data.append(ChaCha20Poly1305(keys[-1]).decrypt(bytes(12), chunk[40:], b""))
        secrets.append(mac(secrets[-1], b"SL1 log ratchet"))
        heads.append(sha256(chunk))
        if word >> 31:
            assert data.pop() == b""
            signer.verify(file[at:], b"SL1 log end" + heads[-1])
            return {
                "file_key": file_key,
                "heads": heads,
                "secrets": secrets[:-1],
                "keys": keys,
                "data": data,
            }
        assert data[-1]
