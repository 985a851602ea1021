"""Two recorded pairings, one a suite: the ground replays them, hashlib works them out again.

`tests/data/vectors/pairing.json` was written by `python -m tests.vectors.test_pairing` and is
frozen: whoever changes what it says has made another protocol. The drone's ANSWER holds what ML-KEM
drew by itself, so its end is checked by the key schedule below, made of hashlib and hmac alone.
"""

import hashlib
import hmac
import json
import random
from pathlib import Path

import pytest

from crypto.enrolment import Token
from crypto.pair import Identity, Role
from crypto.pairing import Compare, Pairing, Save
from crypto.pairing_exchange import DroneExchange, GroundExchange, Terms, Transcript
from crypto.pairing_messages import Kind
from crypto.suites import SUITES
from tests.unit.crypto.pairing_ends import START, End, carry

PATH = Path(__file__).parents[1] / "data/vectors/pairing.json"
RECORDED = ("psk", "mac_initiator_key", "mac_responder_key", "drone_id", "gcs_id")


def hkdf(name, secret, info, salt=None):
    extracted = hmac.new(salt or bytes(32), secret, name).digest()
    return hmac.new(extracted, info + b"\x01", name).digest()


@pytest.fixture(params=[1, 2], ids=["chacha", "aes"])
def vector(request):
    return json.loads(PATH.read_text())[request.param - 1]


def unhex(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def test_the_ground_says_and_keeps_what_was_recorded(vector):
    drawn = [bytes.fromhex(value) for value in vector["ground_draws"]]
    identity = Identity(2, *unhex(vector, "gcs_id", "ground_static", "ground_static"))
    exchange = GroundExchange(
        Token.parse(vector["token"]), identity, "station-a", lambda _: drawn.pop(0)
    )
    ground = End(Pairing(exchange, START))
    sent = []
    for message in vector["from_drone"]:
        sent += [m.hex() for m in ground.core.outgoing()]
        ground.receive(bytes.fromhex(message))
        if ground.first(Compare) and len(sent) == 2:
            ground.says(True)
    assert sent == vector["from_ground"]
    assert ground.code == vector["code"]
    assert [getattr(ground.record, name).hex() for name in RECORDED] == [
        vector[name] for name in RECORDED
    ]


def test_the_keys_by_hashlib_alone(vector):
    name = "blake2s" if vector["suite"] == 1 else "sha256"
    secret = unhex(vector, "token_secret")[0]
    assert hkdf(name, secret, b"SL1 pair token psk").hex() == vector["token_psk"]
    hello = bytes.fromhex(vector["from_ground"][0])
    mac_key = hkdf(name, secret, b"SL1 pair token mac")
    if name == "blake2s":
        mac = hashlib.blake2s(hello[:49], key=mac_key, digest_size=16).digest()
    else:
        mac = hmac.new(mac_key, hello[:49], name).digest()[:16]
    assert hello[49:] == mac
    prologue = b"SL1 pair" + bytes((1, vector["suite"], vector["role"]))
    assert prologue.hex() == vector["prologue"]

    offer, answer, random_gcs = unhex(vector, "offer", "answer", "random_gcs")
    commitment = hashlib.new(name, b"SL1 pair commitment" + random_gcs).digest()
    assert offer[16:48] == commitment
    info = b"SL1 pair" + hashlib.new(name, offer[48:1616]).digest()
    info += hashlib.new(name, answer[48:1616]).digest() + answer[:16] + offer[:16]
    handshake_hash, kem_secret = unhex(vector, "handshake_hash", "kem_secret")
    material = kem_secret + random_gcs + answer[16:48]
    pair_secret = hkdf(name, material, info, handshake_hash)
    assert pair_secret.hex() == vector["pair_secret"]
    number = int.from_bytes(hkdf(name, pair_secret, b"SL1 pair code")[:8], "big") % 1_000_000
    assert f"{number:06d}" == vector["code"]
    for key, label in (
        ("psk", b"SL1 psk 0"),
        ("mac_initiator_key", b"SL1 mac1 initiator"),
        ("mac_responder_key", b"SL1 mac1 responder"),
        ("yes_drone", b"SL1 pair yes drone"),
        ("yes_ground", b"SL1 pair yes ground"),
    ):
        assert hkdf(name, pair_secret, label).hex() == vector[key]


def record(suite, role):
    """Run a pairing and write down all of it."""
    random_bytes = random.Random(suite.number).randbytes
    drawn = []

    def drawing(size):
        drawn.append(random_bytes(size))
        return drawn[-1]

    terms = Terms(suite, role)
    aboard = DroneExchange(Identity.create(random_bytes), "tsubame-1", terms, random_bytes)
    identity = Identity.create(random_bytes)
    below = GroundExchange(aboard.token, identity, "station-a", drawing)
    drone, ground = End(Pairing(aboard, START)), End(Pairing(below, START))
    carried = carry(drone, ground)
    drone.says(True)
    carried += carry(drone, ground)
    ground.says(True)
    carried += carry(drone, ground)
    assert isinstance(drone.events[-1], Save)
    drone.core.saved()
    carried += carry(drone, ground)
    handshake_hash = below._handshake.split().handshake_hash
    offer, answer = aboard._offer, aboard._answer
    transcript = Transcript(handshake_hash, aboard._kem_secret, offer, answer, below._random)
    assert [m[0] for _, m in carried][-1] == Kind.SAVED
    hexed = {
        "token_secret": aboard.token.secret,
        "token_psk": aboard.token.psk,
        "prologue": aboard.token.prologue,
        "ground_static": identity.static_private(suite),
        "offer": offer.encode(),
        "answer": answer.encode(),
        "random_gcs": below._random,
        "kem_secret": aboard._kem_secret,
        "handshake_hash": handshake_hash,
        "pair_secret": transcript.pair_secret(suite),
        "yes_drone": aboard.agreement.yes,
        "yes_ground": below.agreement.yes,
        **{name: getattr(ground.record, name) for name in RECORDED},
    }
    return {
        "suite": suite.number,
        "role": list(Role).index(role),
        "token": aboard.token.text,
        "code": ground.code,
        "ground_draws": [value.hex() for value in drawn],
        "from_ground": [m.hex() for end, m in carried if end is drone],
        "from_drone": [m.hex() for end, m in carried if end is ground],
        **{name: value.hex() for name, value in hexed.items()},
    }


if __name__ == "__main__":
    roles = (Role.COMMANDER, Role.SUPERVISOR)
    pairings = [record(suite, role) for suite, role in zip(SUITES.values(), roles, strict=True)]
    PATH.write_text(json.dumps(pairings, indent=1) + "\n")
