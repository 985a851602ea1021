"""What a channel does, and when: phases of conditions, read from TOML."""

import math
from enum import StrEnum
from importlib import resources
from typing import Annotated, Final

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Rate = Annotated[float, Meta(ge=0.0, le=100_000.0)]
Milliseconds = Annotated[float, Meta(ge=0.0, le=60_000.0)]
Bytes = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Way(StrEnum):
    """A direction: FORTH from the side that began, BACK to it."""

    FORTH = "forth"
    BACK = "back"

    @property
    def other(self) -> "Way":
        """Return the other direction."""
        return Way.BACK if self is Way.FORTH else Way.FORTH


class Burst(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Loss in bursts (Gilbert, 1960; Elliott, 1963): a good state and a bad one.

    Attributes:
        begin: Chance of each datagram in the good state to find the bad one.
        end: Chance of each datagram in the bad state to find the good one.
        loss: Share lost in the bad state.
    """

    begin: Share
    end: Share
    loss: Share = 1.0


class Conditions(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What happens to datagrams; without arguments, nothing.

    Attributes:
        loss: Share lost, each by itself.
        burst: Loss in bursts besides.
        blackout: Whether nothing passes at all, and nothing is heard by the attacker either.
        delay_ms: Of each.
        jitter_ms: Added to the delay, evenly from nothing to this; order is kept.
        reorder: Share that is held back by `reorder_ms` and so is overtaken.
        reorder_ms: How long.
        duplicate: Share that arrives twice.
        bytes_per_s: What the line carries; 0: any amount.
        buffer_bytes: What waits before a narrow line; the rest is dropped.
        truncate: Share cut short anywhere.
        flip: Share with one to three bits flipped.
        reflect: Share sent back to its sender as well.
        replay_per_s: Datagrams heard earlier, of this session or before, played again.
        tamper_per_s: The same, with bits flipped or cut short.
        inject_per_s: Datagrams that were never sent: noise, bytes behind a header that looks like
            one of ours, and what the attacker has by him.
        hold: Whether datagrams are kept until a phase without `hold`, then released in order.
        hold_bytes: Of them only those of at least this length; the others pass.
    """

    loss: Share = 0.0
    burst: Burst | None = None
    blackout: bool = False
    delay_ms: Milliseconds = 0.0
    jitter_ms: Milliseconds = 0.0
    reorder: Share = 0.0
    reorder_ms: Milliseconds = 50.0
    duplicate: Share = 0.0
    bytes_per_s: Bytes = 0
    buffer_bytes: Bytes = 65_536
    truncate: Share = 0.0
    flip: Share = 0.0
    reflect: Share = 0.0
    replay_per_s: Rate = 0.0
    tamper_per_s: Rate = 0.0
    inject_per_s: Rate = 0.0
    hold: bool = False
    hold_bytes: Bytes = 0


class Phase(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Conditions from a moment on, in the named directions, until the next phase of each.

    Attributes:
        at: When, after the first datagram. [s]
        ways: Which directions.
        conditions: What happens.
    """

    at: Annotated[float, Meta(ge=0.0)]
    conditions: Conditions
    ways: tuple[Way, ...] = (Way.FORTH, Way.BACK)


class Script(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A whole trial: `[[phase]]` tables in the order of time, and the seed of every choice."""

    phase: tuple[Phase, ...]
    seed: int = 0

    def check(self) -> None:
        """Raise ValueError if the phases are not in order."""
        before = -math.inf
        for phase in self.phase:
            if phase.at < before:
                raise ValueError(f"phase at {phase.at:g}: later phases come later in the file")
            before = phase.at

    @property
    def ends_s(self) -> float:
        """When the last phase begins [s]."""
        return self.phase[-1].at if self.phase else 0.0

    def conditions(self, way: Way, now_s: float) -> Conditions:
        """Return what happens to a direction at a moment."""
        current = Conditions()
        for phase in self.phase:
            if phase.at > now_s:
                break
            if way in phase.ways:
                current = phase.conditions
        return current

    def changes(self, now_s: float) -> float | None:
        """Return when the next phase begins [s], None after the last."""
        return next((phase.at for phase in self.phase if phase.at > now_s), None)


ATTACKS: Final = ("replay", "tamper", "inject", "flood", "reflect", "delay")


def attack(name: str) -> Script:
    """Return one of `ATTACKS`; the files are scripts like any other."""
    text = resources.files("sim").joinpath("data", "attacks", f"{name}.toml").read_bytes()
    return msgspec.toml.decode(text, type=Script)
