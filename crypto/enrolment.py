"""The one-time token that lets one ground station into one pairing: its text and its keys.

The drone makes it and shows it; whoever reads it types or scans it at the ground station. It says
everything the ground must know beforehand (version, suite, role), so nothing is negotiated.
"""

from dataclasses import dataclass, field
from typing import Final

from crypto.pair import Role
from crypto.primitives import HASHES, RandomBytes, digest
from crypto.suites import SUITES, Suite

PAIRING_VERSION: Final = 1
SECRET_BYTES: Final = 16
CHECK_BYTES: Final = 3
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
TOKEN_CHARACTERS: Final = 32  # 1 + 16 + 3 bytes are exactly 32 characters of 5 bits
_GROUP = 4
_READ_AS = str.maketrans("OIL", "011")
_ROLES = tuple(Role)


class TokenError(ValueError):
    """What was typed is no token. The text never repeats it: most of it may be right."""


@dataclass(frozen=True, slots=True)
class Token:
    """What the drone grants, and 128 random bits known to whoever could see its screen."""

    suite: Suite
    role: Role
    secret: bytes = field(repr=False)

    @classmethod
    def create(cls, suite: Suite, role: Role, random_bytes: RandomBytes) -> "Token":
        """Make a token for one attempt."""
        return cls(suite, role, random_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Read what a person typed or a scanner read.

        Raises:
            TokenError: It is not a token, or one of another version.
        """
        symbols = "".join(text.replace("-", "").split()).upper().translate(_READ_AS)
        if len(symbols) != TOKEN_CHARACTERS:
            raise TokenError(
                f"the token has {TOKEN_CHARACTERS} letters and digits, not {len(symbols)}"
            )
        value = 0
        for position, symbol in enumerate(symbols, 1):
            digit = ALPHABET.find(symbol)
            if digit < 0:
                raise TokenError(f"character {position} of the token is not one of {ALPHABET}")
            value = value << 5 | digit
        data = value.to_bytes(TOKEN_CHARACTERS * 5 // 8, "big")
        body, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
        if check != _check(body):
            raise TokenError("the token is mistyped: its last characters do not fit the others")
        suite, role = body[0] >> 2 & 3, body[0] & 3
        if body[0] >> 4 != PAIRING_VERSION or suite not in SUITES or role >= len(_ROLES):
            raise TokenError("the token was made by another version of this program")
        return cls(SUITES[suite], _ROLES[role], body[1:])

    @property
    def text(self) -> str:
        """Return the token as it is shown: eight groups of four."""
        body = bytes((self._terms,)) + self.secret
        value = int.from_bytes(body + _check(body), "big")
        symbols = [ALPHABET[value >> 5 * i & 31] for i in reversed(range(TOKEN_CHARACTERS))]
        groups = range(0, TOKEN_CHARACTERS, _GROUP)
        return "-".join("".join(symbols[at : at + _GROUP]) for at in groups)

    @property
    def prologue(self) -> bytes:
        """Return what both ends hash first: a changed role or suite ends in two transcripts."""
        return b"SL1 pair" + bytes((PAIRING_VERSION, self.suite.number, _ROLES.index(self.role)))

    @property
    def psk(self) -> bytes:
        """Return the key that Noise mixes in, used for nothing else (Noise §14)."""
        return self.suite.derive(self.secret, b"SL1 pair token psk")

    @property
    def mac_key(self) -> bytes:
        """Return the key of the MAC on the first message: without it the drone is silent."""
        return self.suite.derive(self.secret, b"SL1 pair token mac")

    @property
    def _terms(self) -> int:
        return PAIRING_VERSION << 4 | self.suite.number << 2 | _ROLES.index(self.role)


def _check(body: bytes) -> bytes:
    """Return the 24 bits that tell a mistyped token, whatever its suite."""
    return digest(HASHES["SHA256"](), b"SL1 pair token" + body)[:CHECK_BYTES]
