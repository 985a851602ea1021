"""Section 10: a fleet authority, its lists, and who takes them."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from tests.reference.sl1 import need, u


def keys(ed25519_seed, mldsa65_seed):
    ed25519 = Ed25519PrivateKey.from_private_bytes(ed25519_seed)
    return ed25519, MLDSA65PrivateKey.from_seed_bytes(mldsa65_seed)


def public(private):
    return b"SKRA\x01" + b"".join(key.public_key().public_bytes_raw() for key in private)


def body(serial, entries):
    """`entries` maps a gcs_id to the serial at which it was revoked."""
    listed = b"".join(gcs_id + u(entries[gcs_id], 4) for gcs_id in sorted(entries))
    return b"SKRL\x01" + u(serial, 4) + bytes([len(entries)]) + listed


def message(authority, body_):
    return b"SL1 revocation list\0" + hashlib.sha256(authority).digest() + body_


def signed(private, body_):
    what = message(public(private), body_)
    return body_ + b"".join(key.sign(what) for key in private)


def accepted(authority, data, floor):
    """Return (serial, entries), or raise."""
    need(len(data) >= 10 and data[:5] == b"SKRL\x01", "malformed")
    serial, count = int.from_bytes(data[5:9], "big"), data[9]
    end = 10 + 20 * count
    need(serial >= 1 and count <= 200 and len(data) == end + 64 + 3309, "malformed")
    listed = [data[at : at + 20] for at in range(10, end, 20)]
    entries = {entry[:16]: int.from_bytes(entry[16:], "big") for entry in listed}
    need(list(entries) == sorted(entries) and len(entries) == count, "malformed")
    need(all(1 <= at <= serial for at in entries.values()), "malformed")
    need(serial > floor, "not newer")
    what = message(authority, data[:end])
    try:
        Ed25519PublicKey.from_public_bytes(authority[5:37]).verify(data[end : end + 64], what)
        MLDSA65PublicKey.from_public_bytes(authority[37:]).verify(data[end + 64 :], what)
    except InvalidSignature:
        need(False, "bad signature")
    return serial, entries
