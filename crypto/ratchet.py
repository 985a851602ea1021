"""The post-quantum ratchet: ML-KEM-1024 inside the tunnel replaces the pre-shared key.

    ground                                   drone
    EK chunks ------------------------------->
                                             derive psk[n+1], write {n, n+1}
              <------------------------------- CT chunks
    check, write {n, n+1}
    handshake under n+1 --------------------->
    confirmed: forget n                      confirmed: forget n

Both ends hold both keys from before either can be asked for the new one until a session under it
is confirmed, so a crash at any step leaves a key that both have. A ratchet lives within one
session; a session that ends takes an unfinished one with it, and the next begins anew.

``psk[n+1] = HKDF(salt = psk[n], ikm = ss, info = "SL1 ratchet" || H(ek) || H(ct) || h || n+1)``
with `h` the session's handshake hash: a combiner over the old key, the new secret and everything
that was said, so nothing rests on how ML-KEM binds its ciphertexts.
"""

from typing import Final

from crypto.pair import PairRecord
from crypto.primitives import (
    MAC_BYTES,
    ML_KEM_1024,
    ML_KEM_SEED_BYTES,
    AuthenticationError,
    MlKemKeyPair,
    RandomBytes,
    equal,
)

RATCHET_EVERY_NS: Final = 600_000_000_000
EK_BYTES: Final = ML_KEM_1024.public_bytes
ANSWER_BYTES: Final = ML_KEM_1024.ciphertext_bytes + MAC_BYTES


def next_psk(
    pair: PairRecord, secret: bytes, ek: bytes, ct: bytes, transcript: bytes
) -> tuple[bytes, bytes]:
    """Return psk[n+1] and the 16 bytes by which the drone shows that it has derived the same.

    The two come from different infos: a PSK is used in Noise and nowhere else (Noise §14).
    """
    suite = pair.profile
    said = suite.hash(ek) + suite.hash(ct) + transcript + bytes((pair.next_generation,))
    psk = suite.derive(secret, b"SL1 ratchet" + said, pair.psk)
    key = suite.derive(secret, b"SL1 ratchet confirmation" + said, pair.psk)
    return psk, suite.mac(key, b"SL1 ratchet")


def answer(pair: PairRecord, ek: bytes, transcript: bytes) -> tuple[bytes, bytes]:
    """Return, at the drone, psk[n+1] and the answer for the ground: ciphertext and confirmation.

    Raises:
        AuthenticationError: `ek` is no ML-KEM-1024 key.
    """
    secret, ct = ML_KEM_1024.encapsulate(ek)
    psk, confirmation = next_psk(pair, secret, ek, ct, transcript)
    return psk, ct + confirmation


class RatchetOffer:
    """The ground's side of one ratchet in one session."""

    def __init__(self, pair: PairRecord, transcript: bytes, random_bytes: RandomBytes) -> None:
        self._pair = pair
        self._transcript = transcript
        self._keys = MlKemKeyPair(ML_KEM_1024, random_bytes(ML_KEM_SEED_BYTES))

    @property
    def encapsulation_key(self) -> bytes:
        """What the drone needs."""
        return self._keys.public

    def finish(self, reply: bytes) -> bytes:
        """Return psk[n+1].

        Raises:
            AuthenticationError: The reply is not one that leads both ends to the same key.
        """
        if len(reply) != ANSWER_BYTES:
            raise AuthenticationError("the ratchet's answer has the wrong length")
        ct, confirmation = reply[:-MAC_BYTES], reply[-MAC_BYTES:]
        secret = self._keys.decapsulate(ct)
        psk, expected = next_psk(self._pair, secret, self._keys.public, ct, self._transcript)
        if not equal(confirmation, expected):
            raise AuthenticationError("the drone derived another key")
        return psk
