"""The Noise protocol framework: token lists and one interpreter for both roles.

Revision 34 of https://noiseprotocol.org/noise.html; the section numbers below are its own. A
pattern is data: what each side knows beforehand, then the tokens of each message. SL1 uses KKpsk0.
"""

from dataclasses import dataclass
from typing import Final

from crypto.primitives import (
    AEADS,
    HASHES,
    TAG_BYTES,
    AuthenticationError,
    InvalidTagError,
    KeyPair,
    RandomBytes,
    digest,
    hmac_digest,
)

DH_BYTES: Final = 32

# name -> (initiator's pre-message, responder's pre-message, messages), §7.4 and §7.5.
_PATTERNS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "N": ("", "s", ("e es",)),
    "K": ("s", "s", ("e es ss",)),
    "X": ("", "s", ("e es s ss",)),
    "NN": ("", "", ("e", "e ee")),
    "NK": ("", "s", ("e es", "e ee")),
    "NX": ("", "", ("e", "e ee s es")),
    "XN": ("", "", ("e", "e ee", "s se")),
    "XK": ("", "s", ("e es", "e ee", "s se")),
    "XX": ("", "", ("e", "e ee s es", "s se")),
    "KN": ("s", "", ("e", "e ee se")),
    "KK": ("s", "s", ("e es ss", "e ee se")),
    "KX": ("s", "", ("e", "e ee se s es")),
    "IN": ("", "", ("e s", "e ee se")),
    "IK": ("", "s", ("e es s ss", "e ee se")),
    "IX": ("", "", ("e s", "e ee se s es")),
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """A parsed protocol name: what is known beforehand and what each message does."""

    name: str
    known: tuple[str, str]
    messages: tuple[tuple[str, ...], ...]
    cipher: str
    hash_name: str

    @property
    def has_psk(self) -> bool:
        """Tell whether a pre-shared key is mixed in, which changes how `e` is hashed (§9.2)."""
        return any("psk" in tokens for tokens in self.messages)


def parse_protocol(name: str) -> Protocol:
    """Parse ``Noise_<pattern><psk modifiers>_25519_<cipher>_<hash>``.

    Raises:
        ValueError: The name is not one that this interpreter knows.
    """
    try:
        prefix, handshake, dh, cipher, hash_name = name.split("_")
        base, *modifiers = handshake.replace("+", "").split("psk")
        initiator, responder, messages = _PATTERNS[base]
        lines = [tuple(message.split()) for message in messages]
        for position in map(int, modifiers):
            if position == 0:
                lines[0] = ("psk", *lines[0])
            else:
                lines[position - 1] = (*lines[position - 1], "psk")
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"unknown Noise protocol {name!r}") from error
    if (prefix, dh) != ("Noise", "25519") or cipher not in AEADS or hash_name not in HASHES:
        raise ValueError(f"unknown Noise protocol {name!r}")
    return Protocol(name, (initiator, responder), tuple(lines), cipher, hash_name)


def transport_nonce(cipher: str, counter: int) -> bytes:
    """Return the 12-byte nonce of a counter: ChaChaPoly is little-endian, AESGCM big (§12)."""
    return bytes(4) + counter.to_bytes(8, "little" if cipher == "ChaChaPoly" else "big")


@dataclass(slots=True)
class _Symmetric:
    """§5.2, with the CipherState of §5.1 folded in: chaining key, transcript hash, key, nonce."""

    protocol: Protocol
    chaining_key: bytes
    transcript: bytes
    key: bytes | None = None
    nonce: int = 0

    def copy(self) -> "_Symmetric":
        return _Symmetric(self.protocol, self.chaining_key, self.transcript, self.key, self.nonce)

    def mix_hash(self, data: bytes) -> None:
        self.transcript = digest(HASHES[self.protocol.hash_name](), self.transcript + data)

    def hkdf(self, material: bytes, outputs: int) -> list[bytes]:
        """§4.3: the HKDF of RFC 5869 with the chaining key as salt and no info."""
        algorithm = HASHES[self.protocol.hash_name]
        secret = hmac_digest(algorithm(), self.chaining_key, material)
        block, blocks = b"", []
        for index in range(1, outputs + 1):
            block = hmac_digest(algorithm(), secret, block + bytes([index]))
            blocks.append(block)
        return blocks

    def mix_key(self, material: bytes) -> None:
        self.chaining_key, key = self.hkdf(material, 2)
        self.key, self.nonce = key[:32], 0

    def mix_key_and_hash(self, material: bytes) -> None:
        self.chaining_key, hashed, key = self.hkdf(material, 3)
        self.mix_hash(hashed)
        self.key, self.nonce = key[:32], 0

    def seal(self, plaintext: bytes) -> bytes:
        sealed = plaintext
        if self.key is not None:
            nonce = transport_nonce(self.protocol.cipher, self.nonce)
            sealed = AEADS[self.protocol.cipher](self.key).encrypt(
                nonce, plaintext, self.transcript
            )
            self.nonce += 1
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        plaintext = sealed
        if self.key is not None:
            nonce = transport_nonce(self.protocol.cipher, self.nonce)
            try:
                plaintext = AEADS[self.protocol.cipher](self.key).decrypt(
                    nonce, sealed, self.transcript
                )
            except (InvalidTagError, ValueError) as error:
                raise AuthenticationError("handshake payload does not authenticate") from error
            self.nonce += 1
        self.mix_hash(sealed)
        return plaintext


@dataclass(frozen=True, slots=True)
class Split:
    """What a finished handshake leaves: one 32-byte key per direction, and the transcript hash."""

    initiator_key: bytes
    responder_key: bytes
    handshake_hash: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """What one side brings to a handshake; None where the pattern asks for nothing."""

    static: KeyPair | None = None
    remote_static: bytes | None = None
    psks: tuple[bytes, ...] = ()


class HandshakeState:
    """One side of one handshake (§5.3).

    Messages must be written and read in the pattern's order; doing otherwise is our own mistake
    and asserts. A message that does not authenticate leaves the state as it was.
    """

    def __init__(
        self,
        protocol: Protocol,
        keys: Keys,
        random_bytes: RandomBytes,
        *,
        initiator: bool,
        prologue: bytes = b"",
    ) -> None:
        hash_bytes = HASHES[protocol.hash_name]().digest_size
        name = protocol.name.encode()
        start = (
            name.ljust(hash_bytes, b"\0")
            if len(name) <= hash_bytes
            else digest(HASHES[protocol.hash_name](), name)
        )
        self._protocol = protocol
        self._keys = keys
        self._random_bytes = random_bytes
        self._initiator = initiator
        self._symmetric = _Symmetric(protocol, start, start)
        self._ephemeral: KeyPair | None = None
        self._remote_ephemeral: bytes | None = None
        self._remote_static = keys.remote_static
        self._message = 0
        self._psks = list(keys.psks)
        self._symmetric.mix_hash(prologue)
        for is_initiator, known in zip((True, False), protocol.known, strict=True):
            if known == "s":
                self._symmetric.mix_hash(self._known_static(ours=is_initiator == initiator))

    @property
    def is_finished(self) -> bool:
        """Tell whether every message of the pattern has been processed."""
        return self._message == len(self._protocol.messages)

    @property
    def remote_static(self) -> bytes:
        """Return the peer's static public key, once it is known."""
        assert self._remote_static is not None
        return self._remote_static

    def write_message(self, payload: bytes = b"") -> bytes:
        """Return the next message, carrying `payload`."""
        out = b""
        for token in self._next_tokens(writing=True):
            match token:
                case "e":
                    self._ephemeral = KeyPair(self._random_bytes(DH_BYTES))
                    out += self._ephemeral.public
                    self._mix_ephemeral(self._symmetric, self._ephemeral.public)
                case "s":
                    assert self._keys.static is not None
                    out += self._symmetric.seal(self._keys.static.public)
                case _:
                    self._mix_secret(self._symmetric, token)
        self._message += 1
        return out + self._symmetric.seal(payload)

    def read_message(self, message: bytes) -> bytes:
        """Return the payload of the peer's next message.

        Raises:
            AuthenticationError: The message is not the peer's next one; nothing has changed.
        """
        symmetric = self._symmetric.copy()
        before = (self._remote_ephemeral, self._remote_static, list(self._psks))
        try:
            payload = self._read(symmetric, message)
        except AuthenticationError:
            self._remote_ephemeral, self._remote_static, self._psks = before
            raise
        self._symmetric = symmetric
        self._message += 1
        return payload

    def split(self) -> Split:
        """Return the transport keys of a finished handshake."""
        assert self.is_finished
        first, second = self._symmetric.hkdf(b"", 2)
        return Split(first[:32], second[:32], self._symmetric.transcript)

    def _read(self, symmetric: _Symmetric, message: bytes) -> bytes:
        at = 0
        for token in self._next_tokens(writing=False):
            match token:
                case "e":
                    self._remote_ephemeral = message[:DH_BYTES]
                    at = DH_BYTES
                    if len(message) < at:
                        raise AuthenticationError("handshake message is too short")
                    self._mix_ephemeral(symmetric, self._remote_ephemeral)
                case "s":
                    size = DH_BYTES + (TAG_BYTES if symmetric.key is not None else 0)
                    if len(message) < at + size:
                        raise AuthenticationError("handshake message is too short")
                    self._remote_static = symmetric.open(message[at : at + size])
                    at += size
                case _:
                    self._mix_secret(symmetric, token)
        return symmetric.open(message[at:])

    def _next_tokens(self, *, writing: bool) -> tuple[str, ...]:
        ours = (self._message % 2 == 0) == self._initiator
        assert not self.is_finished
        assert ours == writing
        return self._protocol.messages[self._message]

    def _mix_ephemeral(self, symmetric: _Symmetric, public: bytes) -> None:
        symmetric.mix_hash(public)
        if self._protocol.has_psk:
            symmetric.mix_key(public)

    def _mix_secret(self, symmetric: _Symmetric, token: str) -> None:
        if token == "psk":  # noqa: S105 - the name of a token, not a secret
            symmetric.mix_key_and_hash(self._psks.pop(0))
            return
        # A two-letter token names the initiator's key first, then the responder's.
        ours, theirs = (token[0], token[1]) if self._initiator else (token[1], token[0])
        pair = self._ephemeral if ours == "e" else self._keys.static
        public = self._remote_ephemeral if theirs == "e" else self._remote_static
        assert pair is not None
        assert public is not None
        symmetric.mix_key(pair.exchange(public))

    def _known_static(self, *, ours: bool) -> bytes:
        if ours:
            assert self._keys.static is not None
            return self._keys.static.public
        assert self._remote_static is not None
        return self._remote_static
