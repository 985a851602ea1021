"""The secure link as the operator sees it: how well it carries, and who attacks it."""

from typing import Final

import msgspec

from groundstation.screen.window import Window
from groundstation.station import StationStatus
from wire.locality import RADIO
from wire.records import Refusals

_FORGED: Final = ("bad_tag", "bad_mac", "bad_handshake")
# Not handshakes: answers to those given up come late and are refused as well.
_REPLAYED: Final = ("replayed",)
_PLAIN: Final = ("plaintext_mavlink",)
# In 10 s. A network may double a datagram now and then; nothing but an attacker forges one there.
_MANY_FORGED: Final = 3
_MANY_REPLAYED: Final = 5


class LinkView(msgspec.Struct):
    """One link. Seconds and shares are None while unknown; counts run since the gateway started.

    `attack` says in words what has been tried in the last 10 s, "" if nothing; `noise` the same of
    what may as well be a noisy radio. `tried` counts everything of that kind so far.
    """

    state: str
    path: str
    suite: str
    generation: int
    generation_s: float | None
    ratchet: int
    handshakes: int
    round_trip_ms: float | None
    picture_s: float | None  # what the drone sends now was made at most so long ago
    loss_down: float | None
    forged: int
    replayed: int
    plain: int
    aboard: dict[str, int]  # forged, replayed, unsealed: what the drone has refused
    attack: str
    noise: str


class LinkWatch:
    """Follows one link's counters. The zero state has seen none."""

    def __init__(self) -> None:
        self._window = Window()

    def look(self, status: StationStatus, now_ns: int) -> LinkView:
        """Return the picture of the link now."""
        link, window = status.link, self._window
        counters = {
            **link.dropped,
            **{f"aboard_{what}": count for what, count in status.aboard.items()},
            "expected": status.expected_down,
            "received": link.datagrams_down,
        }
        window.add(counters, now_ns)
        expected = window.gained("expected")
        missing = expected - window.gained("received")
        attack, noise = self._intrusion(is_radio=status.path == RADIO[0])
        return LinkView(
            state=status.state,
            path=status.path,
            suite=status.suite,
            generation=link.generation,
            generation_s=status.generation_s,
            ratchet=status.psk_generation,
            handshakes=link.handshakes,
            round_trip_ms=None
            if status.round_trip_s is None
            else round(1000 * status.round_trip_s, 1),
            picture_s=None if status.telemetry_age_s is None else round(status.telemetry_age_s, 2),
            loss_down=round(max(0, missing) / expected, 3) if expected else None,
            forged=_total(link.dropped, _FORGED),
            replayed=_total(link.dropped, _REPLAYED),
            plain=_total(link.dropped, _PLAIN),
            aboard=status.aboard,
            attack=attack,
            noise=noise,
        )

    def _intrusion(self, *, is_radio: bool) -> tuple[str, str]:
        """Say what was tried in the last seconds, on us and on the drone: for sure, and perhaps."""
        said: list[str] = []
        noise: list[str] = []
        for place, *reasons in (
            ("", _FORGED, _REPLAYED, _PLAIN),
            (" aboard", *((f"aboard_{what}",) for what in Refusals._fields)),
        ):
            forged, replayed, plain = (self._window.gained(*names) for names in reasons)
            tried: list[str] = []
            if forged >= _MANY_FORGED:
                if is_radio:
                    noise.append(f"{forged} damaged or forged frames refused{place} in 10 s")
                else:
                    tried.append(f"{forged} forged")
            if replayed >= _MANY_REPLAYED:
                tried.append(f"{replayed} replayed")
            if plain:
                tried.append(f"{plain} unsealed")
            if tried:
                said.append(f"{', '.join(tried)} refused{place} in 10 s")
        return "; ".join(said), "; ".join(noise)


def _total(dropped: dict[str, int], reasons: tuple[str, ...]) -> int:
    return sum(dropped.get(reason, 0) for reason in reasons)
