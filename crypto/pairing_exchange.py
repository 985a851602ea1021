"""The two ends of the exchange that makes a pair's secret, up to the code people compare.

`Noise_XXpsk3` under the token's key, and inside it ML-KEM-1024 and a commitment. The ground commits
to its random bytes in OFFER, the drone sends its own in ANSWER, and only REVEAL opens the
commitment. So whoever stands in the middle, and knows the token because he photographed it, must
fix everything he contributes to either end's code before he knows that end's random bytes: his
chance is one in a million. Without the commitment he would learn them first and try a million
values of his own until both codes were equal, which takes a minute.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from crypto.enrolment import Token
from crypto.messages import add_mac, has_mac_untrusted
from crypto.noise import HandshakeState, Keys
from crypto.pair import RECORD_VERSION, Identity, PairRecord, PairSecrets, Role
from crypto.pairing_messages import (
    HELLO_BYTES,
    RANDOM_BYTES,
    REPLY_BYTES,
    Abort,
    Answer,
    Channel,
    Kind,
    Offer,
    PairingError,
    commit,
)
from crypto.primitives import (
    MAC_BYTES,
    ML_KEM_1024,
    ML_KEM_SEED_BYTES,
    KeyPair,
    MlKemKeyPair,
    RandomBytes,
    equal,
)
from crypto.suites import Suite

PATTERN: Final = "XXpsk3"
CODE_DIGITS: Final = 6


class Peer(NamedTuple):
    """Who the other end says it is; the name is only a claim."""

    device_id: bytes
    claimed_name: str


class Agreement(NamedTuple):
    """What one end holds once the secret is made. The record counts after both said yes.

    `yes` is what this end sends when its person says that the codes match, `peer_yes` what must
    come: both need the pair's secret, and so are bound to everything it is made of.
    """

    code: str
    yes: bytes
    peer_yes: bytes
    record: PairRecord


class Terms(NamedTuple):
    """What the drone grants, and the revocation serial it has reached."""

    suite: Suite
    role: Role
    grant_serial: int = 0


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything the secret of a pair is made of."""

    handshake_hash: bytes
    kem_secret: bytes
    offer: Offer
    answer: Answer
    random_gcs: bytes

    def pair_secret(self, suite: Suite) -> bytes:
        """Return K_pair.

        Hashing the whole KEM transcript makes it independent of ML-KEM's binding properties
        (draft-irtf-cfrg-hybrid-kems, universal combiner); X25519 is in the handshake hash.
        """
        info = (
            b"SL1 pair"
            + suite.hash(self.offer.kem_public)
            + suite.hash(self.answer.kem_ciphertext)
            + self.answer.drone_id
            + self.offer.gcs_id
        )
        material = self.kem_secret + self.random_gcs + self.answer.random
        return suite.derive(material, info, self.handshake_hash)


def code_of(suite: Suite, pair_secret: bytes) -> str:
    """Return the six digits: 64 bits modulo 10^6, so even to one in 10^13."""
    value = int.from_bytes(suite.derive(pair_secret, b"SL1 pair code")[:8], "big")
    return f"{value % 10**CODE_DIGITS:0{CODE_DIGITS}}"


class DroneExchange:
    """The drone's end. It makes its own token, so a token serves one exchange and no other."""

    def __init__(
        self, identity: Identity, name: str, terms: Terms, random_bytes: RandomBytes
    ) -> None:
        self.token = Token.create(terms.suite, terms.role, random_bytes)
        self.peer: Peer | None = None
        self.channel: Channel | None = None
        self.agreement: Agreement | None = None
        self._identity = identity
        self._name = name
        self._grant_serial = terms.grant_serial
        self._random = random_bytes(RANDOM_BYTES)
        self._handshake = _handshake(self.token, identity, random_bytes, initiator=False)
        self._offer: Offer | None = None
        self._answer: Answer | None = None
        self._kem_secret = b""

    def receive(self, kind: Kind, message: bytes) -> list[bytes]:
        """Take the next message of the ground's; return what to send.

        Raises:
            PairingError: It is not what that message should be.
            AuthenticationError: It does not authenticate.
        """
        match kind:
            case Kind.HELLO:
                return [self._reply_untrusted(message)]
            case Kind.OFFER:
                return [self._answer_to(message)]
            case _:
                assert kind is Kind.REVEAL
                self._conclude(message)
                return []

    def _reply_untrusted(self, message: bytes) -> bytes:
        suite = self.token.suite
        if len(message) != HELLO_BYTES or not has_mac_untrusted(suite, self.token.mac_key, message):
            raise PairingError(Abort.WRONG_TOKEN)
        self._handshake.read_message(message[1:-MAC_BYTES])
        return bytes((Kind.REPLY,)) + self._handshake.write_message()

    def _answer_to(self, message: bytes) -> bytes:
        self._offer = Offer.parse(self._handshake.read_message(message[1:]))
        self._kem_secret, ciphertext = ML_KEM_1024.encapsulate(self._offer.kem_public)
        keys = self._handshake.split()
        self.channel = Channel(self.token.suite, keys.responder_key, keys.initiator_key)
        self.peer = Peer(self._offer.gcs_id, self._offer.name)
        self._answer = Answer(self._identity.device_id, self._random, ciphertext, self._name)
        return self.channel.seal(Kind.ANSWER, self._answer.encode())

    def _conclude(self, message: bytes) -> None:
        assert self.channel is not None
        assert self._offer is not None
        assert self._answer is not None
        random_gcs = self.channel.open(message)
        if not equal(commit(self.token.suite, random_gcs), self._offer.commitment):
            raise PairingError(Abort.BROKEN_COMMITMENT)
        transcript = Transcript(
            self._handshake.split().handshake_hash,
            self._kem_secret,
            self._offer,
            self._answer,
            random_gcs,
        )
        self.agreement = _agree(
            self.token,
            transcript,
            self._identity,
            self._handshake.remote_static,
            drone=True,
            grant_serial=self._grant_serial,
        )


class GroundExchange:
    """The ground's end, which speaks first."""

    def __init__(
        self, token: Token, identity: Identity, name: str, random_bytes: RandomBytes
    ) -> None:
        self.peer: Peer | None = None
        self.channel: Channel | None = None
        self.agreement: Agreement | None = None
        self._token = token
        self._identity = identity
        self._random = random_bytes(RANDOM_BYTES)
        self._kem = MlKemKeyPair(ML_KEM_1024, random_bytes(ML_KEM_SEED_BYTES))
        self._handshake = _handshake(token, identity, random_bytes, initiator=True)
        self._offer = Offer(
            identity.device_id, commit(token.suite, self._random), self._kem.public, name
        )

    def hello(self) -> bytes:
        """Return the first message; call it once."""
        message = bytes((Kind.HELLO,)) + self._handshake.write_message()
        return add_mac(self._token.suite, self._token.mac_key, message)

    def receive(self, kind: Kind, message: bytes) -> list[bytes]:
        """Take the next message of the drone's; return what to send.

        Raises:
            PairingError: It is not what that message should be.
            AuthenticationError: It does not authenticate.
        """
        if kind is Kind.REPLY:
            return [self._offer_untrusted(message)]
        assert kind is Kind.ANSWER
        return [self._reveal(message)]

    def _offer_untrusted(self, message: bytes) -> bytes:
        if len(message) != REPLY_BYTES:
            raise PairingError(Abort.BAD_MESSAGE)
        self._handshake.read_message(message[1:])
        sealed = self._handshake.write_message(self._offer.encode())
        keys = self._handshake.split()
        self.channel = Channel(self._token.suite, keys.initiator_key, keys.responder_key)
        return bytes((Kind.OFFER,)) + sealed

    def _reveal(self, message: bytes) -> bytes:
        assert self.channel is not None
        answer = Answer.parse(self.channel.open(message))
        self.peer = Peer(answer.drone_id, answer.name)
        transcript = Transcript(
            self._handshake.split().handshake_hash,
            self._kem.decapsulate(answer.kem_ciphertext),
            self._offer,
            answer,
            self._random,
        )
        self.agreement = _agree(
            self._token, transcript, self._identity, self._handshake.remote_static, drone=False
        )
        return self.channel.seal(Kind.REVEAL, self._random)


def _handshake(
    token: Token, identity: Identity, random_bytes: RandomBytes, *, initiator: bool
) -> HandshakeState:
    return HandshakeState(
        token.suite.noise(PATTERN),
        Keys(static=KeyPair(identity.static_private(token.suite)), psks=(token.psk,)),
        random_bytes,
        initiator=initiator,
        prologue=token.prologue,
    )


def _agree(
    token: Token,
    transcript: Transcript,
    identity: Identity,
    peer_static_public: bytes,
    *,
    drone: bool,
    grant_serial: int = 0,
) -> Agreement:
    suite = token.suite
    pair_secret = transcript.pair_secret(suite)
    secrets = PairSecrets.derive(suite, pair_secret)
    yes = [suite.derive(pair_secret, b"SL1 pair yes " + end) for end in (b"drone", b"ground")]
    own, peer = yes if drone else reversed(yes)
    record = PairRecord(
        version=RECORD_VERSION,
        suite=suite.number,
        peer=transcript.offer.name if drone else transcript.answer.name,
        role=token.role,
        drone_id=transcript.answer.drone_id,
        gcs_id=transcript.offer.gcs_id,
        static_private=identity.static_private(suite),
        peer_static_public=peer_static_public,
        mac_initiator_key=secrets.mac_initiator_key,
        mac_responder_key=secrets.mac_responder_key,
        psk_generation=0,
        psk=secrets.psk,
        grant_serial=grant_serial,
    )
    return Agreement(code_of(suite, pair_secret), own, peer, record)
