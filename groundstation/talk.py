"""What the console's page says to the gateway, as types: anything else is refused by name."""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from crypto.confirmation import NONCE_BYTES
from groundstation.flights import Flights
from groundstation.orders import Action, Arguments
from groundstation.parameters.message import Parameters
from groundstation.plan.deeds import Planning
from wire.authority import NOBODY

MAX_BYTES: Final = 524_288  # a view may send a whole file
MAX_HELLO_BYTES: Final = 4096


class Role(StrEnum):
    """What a session at the console may do."""

    VIEWER = "viewer"  # watches; nothing it does is ever sent to a drone
    OPERATOR = "operator"


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hello"):
    """First message: proves that the page belongs to the session, not just to the browser."""

    key: str


class Here(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="here"):
    """Said every second by a page that runs: whether it can be seen."""

    visible: bool


class _Deed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may change something. `saw` is the gateway's time of the picture it was decided on.

    `id` comes back with the result.
    """

    id: int
    drone: str
    saw: int


class Give(_Deed, frozen=True, tag="order"):
    """An order."""

    action: Action
    arguments: Arguments = Arguments()


class Answer(_Deed, frozen=True, tag="answer"):
    """The second step of an operation that the drone asks back."""

    nonce: str
    yes: bool

    def __post_init__(self) -> None:
        _check_hex("nonce", self.nonce, NONCE_BYTES)


class Ask(_Deed, frozen=True, tag="authority"):
    """A change of who commands."""

    verb: Literal["hand_over", "accept", "claim", "preempt", "clear_alarm"]
    station: str = ""

    def __post_init__(self) -> None:
        if self.station or self.verb == "hand_over":
            _check_hex("station", self.station, len(NOBODY))


class Reload(_Deed, frozen=True, tag="reload"):
    """Read mission and fence from the drone again."""


Deed = Give | Answer | Ask | Reload | Parameters | Planning
Said = Hello | Here | Deed | Flights

_DECODER: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


class NotUnderstoodError(Exception):
    """A page said what no page says; the text names the fault."""


def parse_untrusted(text: str | bytes) -> Said:
    """Parse one message.

    Raises:
        NotUnderstoodError: It is none.
    """
    if len(text) > MAX_BYTES:
        raise NotUnderstoodError(f"longer than {MAX_BYTES} bytes")
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstoodError(str(error)) from None


def _check_hex(name: str, text: str, size: int) -> None:
    if len(text) != 2 * size or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"{name}: allowed: {2 * size} hexadecimal digits")
