"""`python -m tests.worlds.digest SEED`: one digest of every byte of a flight, for another process.

Two calls of the library draw randomness of their own: ML-KEM's encapsulation and HPKE's. Here the
first is the reference implementation with coins from the key; of the second only the length counts.
"""

import hashlib
import sys

import crypto.ratchet
import crypto.sealed_log
from sekisho.world.world import Setting
from tests.reference import mlkem
from tests.worlds.flights import SHORT, fly, script, weather


class Repeatable(type(crypto.ratchet.ML_KEM_1024)):
    """ML-KEM-1024 whose encapsulation can be repeated."""

    def encapsulate(self, public):
        ciphertext, secret = mlkem.encapsulate(public, hashlib.sha256(public).digest())
        return secret, ciphertext


def seal(_recipient, key, _info):
    return bytes(crypto.sealed_log.HPKE_OVERHEAD) + key


STORM = weather(
    (0, {"loss": 0.05, "delay_ms": 30, "jitter_ms": 20}),
    (20, {"reorder": 0.1, "duplicate": 0.1, "flip": 0.02, "replay_per_s": 20, "inject_per_s": 5}),
)


def digest(seed):
    kem = crypto.ratchet.ML_KEM_1024
    crypto.ratchet.ML_KEM_1024 = Repeatable(
        kem.private_type, kem.public_type, kem.public_bytes, kem.ciphertext_bytes
    )
    crypto.sealed_log.hpke_seal = seal
    _, account = fly(
        lambda account: Setting(
            script(SHORT), drones=2, seed=seed, weather=STORM, witness=account, wind=(4.0, 200.0)
        )
    )
    assert len(account.executed) > 100
    return account.digest.hexdigest()


if __name__ == "__main__":
    print(digest(int(sys.argv[1])))
