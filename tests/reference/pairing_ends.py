"""A ground and a drone that pair as section 9 says; `take` returns what answers a message."""

from typing import NamedTuple

from tests.reference import mlkem, pairing, sl1
from tests.reference.formulas import Suite, dh, mac, public
from tests.reference.sl1 import need


class Device(NamedTuple):
    suite: Suite
    role: str  # the token's
    secret: bytes  # the token's
    id: bytes
    private: bytes
    name: bytes


class End:
    own = peer = ""

    def __init__(self, device, random_bytes):
        self.device = device
        self.random_bytes = random_bytes
        self.noise = pairing.Handshake(device.suite, device.role, device.secret)
        self.e, self.rand = random_bytes(32), random_bytes(32)
        self.counters = [0, 0]  # sent, opened
        self.k_pair = self.code = self.peer_id = self.peer_name = self.peer_static = None
        self.heard = []

    def seal(self, kind, plain=b""):
        self.counters[0] += 1
        key = self.noise.split()[self.own == "drone"]
        return pairing.transport(self.device.suite, key, self.counters[0] - 1, kind, plain)

    def open(self, message):
        self.counters[1] += 1
        key = self.noise.split()[self.own == "ground"]
        return pairing.opened(self.device.suite, key, self.counters[1] - 1, message)

    def agree(self, ss, rands, kem, ids):
        self.k_pair = pairing.secret(self.device.suite, self.noise.h, ss, rands, kem, ids)
        self.code = pairing.code(self.device.suite, self.k_pair)

    def yes(self):
        return self.seal(pairing.YES, pairing.yes(self.device.suite, self.k_pair, self.own))

    def take(self, message):
        self.heard.append(message[0])
        if message[0] == pairing.YES:
            said = pairing.yes(self.device.suite, self.k_pair, self.peer)
            need(self.open(message) == said, "yes")
            return []
        return self.take_next(message)

    def made(self):
        return sl1.sub_keys(self.device.suite, self.k_pair)


class Ground(End):
    own, peer = "ground", "drone"

    def hello(self):
        self.kem = mlkem.key_from_seed(self.random_bytes(64))
        self.ek = self.kem.public_key().public_bytes_raw()
        return pairing.hello(self.noise, public(self.e))

    def take_next(self, message):
        device, noise = self.device, self.noise
        if message[0] == pairing.REPLY:
            need(len(message) == 97, "length")
            re = message[1:33]
            noise.mix_e("2 e", re)
            noise.mix_key("2 ee", dh(self.e, re))
            self.peer_static = noise.read("2 s", message[33:81])
            noise.mix_key("2 es", dh(self.e, self.peer_static))
            need(noise.read("2 payload", message[81:]) == b"", "payload")
            inner = pairing.offer_payload(device.suite, device.id, self.rand, self.ek, device.name)
            return [pairing.offer(noise, public(device.private), dh(device.private, re), inner)]
        if message[0] == pairing.ANSWER:
            inner = self.open(message)
            self.peer_id, rand, ct = inner[:16], inner[16:48], inner[48:1616]
            self.peer_name = inner[1616:]
            ids = self.peer_id, device.id
            self.agree(self.kem.decapsulate(ct), (self.rand, rand), (self.ek, ct), ids)
            return [self.seal(pairing.REVEAL, self.rand)]
        need(message[0] == pairing.SAVED and self.open(message) == b"", "saved")
        return []


class Drone(End):
    own, peer = "drone", "ground"

    def token(self):
        return pairing.token(self.device.suite, self.device.role, self.device.secret)

    def take_next(self, message):
        device, noise = self.device, self.noise
        if message[0] == pairing.HELLO:
            need(len(message) == 65, "length")
            need(mac(device.suite, noise.k_hello, message[:49]) == message[49:], "mac")
            re = self.re = message[1:33]
            noise.mix_e("1 e", re)
            need(noise.read("1 payload", message[33:49]) == b"", "payload")
            static, es = public(device.private), dh(device.private, re)
            return [pairing.reply(noise, public(self.e), dh(self.e, re), static, es)]
        if message[0] == pairing.OFFER:
            self.peer_static = noise.read("3 s", message[1:49])
            noise.mix_key("3 se", dh(self.e, self.peer_static))
            noise.mix_psk("3 psk")
            inner = noise.read("3 payload", message[49:])
            self.peer_id, self.commitment, self.ek = inner[:16], inner[16:48], inner[48:1616]
            self.peer_name = inner[1616:]
            self.ct, self.ss = mlkem.encapsulate(self.ek, self.random_bytes(32))
            answer = pairing.answer_payload(device.id, self.rand, self.ct, device.name)
            return [self.seal(pairing.ANSWER, answer)]
        need(message[0] == pairing.REVEAL, "order")
        rand = self.open(message)
        need(pairing.commitment(device.suite, rand) == self.commitment, "commitment")
        self.agree(self.ss, (rand, self.rand), (self.ek, self.ct), (device.id, self.peer_id))
        return []
