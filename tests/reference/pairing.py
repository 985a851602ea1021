"""Section 9: the token, Noise_XXpsk3 written out, and what both ends derive."""

import hashlib

from tests.reference import sl1
from tests.reference.formulas import hashed, kdf, mac, noise_hkdf, nonce, seal, unseal

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ROLES = ("observer", "commander", "supervisor")
HELLO, REPLY, OFFER, ANSWER, REVEAL, YES, NO, SAVED = range(1, 9)


def token(suite, role, secret):
    """What the drone shows."""
    data = bytes([1 << 4 | suite.number << 2 | ROLES.index(role)]) + secret
    data += hashlib.sha256(b"SL1 pair token" + data).digest()[:3]
    number = int.from_bytes(data, "big")
    text = "".join(ALPHABET[number >> shift & 31] for shift in range(155, -1, -5))
    return "-".join(text[at : at + 4] for at in range(0, 32, 4))


class Handshake:
    """Noise_XXpsk3 at either end: -> e; <- e, ee, s, es; -> s, se, psk.

    The caller brings the Diffie-Hellman results. `after` holds (h, ck, k) after each step.
    """

    def __init__(self, suite, role, secret):
        name = b"Noise_XXpsk3_25519_" + suite.noise.encode()
        self.suite = suite
        self.psk = kdf(suite, secret, b"SL1 pair token psk")
        self.k_hello = kdf(suite, secret, b"SL1 pair token mac")
        self.prologue = b"SL1 pair" + bytes([1, suite.number, ROLES.index(role)])
        self.ck = name.ljust(32, b"\0") if len(name) <= 32 else hashed(suite, name)
        self.h = hashed(suite, self.ck + self.prologue)
        self.k, self.n = b"", 0
        self.after = {}
        self.note("prologue")

    def note(self, step):
        self.after[step] = {"h": self.h, "ck": self.ck, "k": self.k}

    def mix_e(self, step, e):
        self.h = hashed(self.suite, self.h + e)
        self.mix_key(step, e)

    def mix_key(self, step, material):
        (self.ck, self.k), self.n = noise_hkdf(self.suite, self.ck, material, 2), 0
        self.note(step)

    def mix_psk(self, step):
        (self.ck, temp, self.k), self.n = noise_hkdf(self.suite, self.ck, self.psk, 3), 0
        self.h = hashed(self.suite, self.h + temp)
        self.note(step)

    def write(self, step, plain):
        sealed = seal(self.suite, self.k, self.n, plain, self.h)
        self._mix_sealed(step, sealed)
        return sealed

    def read(self, step, sealed):
        plain = unseal(self.suite, self.k, self.n, sealed, self.h)
        self._mix_sealed(step, sealed)
        return plain

    def _mix_sealed(self, step, sealed):
        self.h, self.n = hashed(self.suite, self.h + sealed), self.n + 1
        self.note(step)

    def split(self):
        """(ground to drone, drone to ground)."""
        return noise_hkdf(self.suite, self.ck, b"", 2)


def hello(noise, e):
    noise.mix_e("1 e", e)
    message = bytes([HELLO]) + e + noise.write("1 payload", b"")
    return message + mac(noise.suite, noise.k_hello, message)


def reply(noise, e, ee, static, es):
    noise.mix_e("2 e", e)
    noise.mix_key("2 ee", ee)
    sealed = noise.write("2 s", static)
    noise.mix_key("2 es", es)
    return bytes([REPLY]) + e + sealed + noise.write("2 payload", b"")


def offer(noise, static, se, payload):
    """`payload` is ids, commitment, key and name: `offer_payload`."""
    sealed = noise.write("3 s", static)
    noise.mix_key("3 se", se)
    noise.mix_psk("3 psk")
    return bytes([OFFER]) + sealed + noise.write("3 payload", payload)


def commitment(suite, rand_gcs):
    return hashed(suite, b"SL1 pair commitment" + rand_gcs)


def offer_payload(suite, gcs_id, rand_gcs, ek, name):
    return gcs_id + commitment(suite, rand_gcs) + ek + name


def answer_payload(drone_id, rand_drone, ct, name):
    return drone_id + rand_drone + ct + name


def transport(suite, key, counter, kind, plain):
    """ANSWER and what follows; each direction counts from 0."""
    header = bytes([kind])
    return header + suite.aead(key).encrypt(nonce(suite, counter), plain, header)


def opened(suite, key, counter, message):
    return suite.aead(key).decrypt(nonce(suite, counter), message[1:], message[:1])


def secret(suite, h, ss, rands, kem, ids):
    """K_pair; `rands` is (rand_gcs, rand_drone), `kem` (ek, ct), `ids` (drone_id, gcs_id)."""
    info = b"SL1 pair" + b"".join(hashed(suite, part) for part in kem) + b"".join(ids)
    return kdf(suite, ss + b"".join(rands), info, salt=h)


def code(suite, k_pair):
    return f"{int.from_bytes(kdf(suite, k_pair, b'SL1 pair code')[:8], 'big') % 10**6:06}"


def yes(suite, k_pair, end):
    """What an end, "drone" or "ground", says when its person says that the codes match."""
    return kdf(suite, k_pair, b"SL1 pair yes " + end.encode())


def framed(message):
    return b"\0" + sl1.cobs(message) + b"\0"
