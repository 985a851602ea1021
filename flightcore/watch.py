"""What the companion does of its own accord, beside the frames that it carries.

Each part names the messages of the autopilot that it wants (`watched`), takes them one by one, says
when it has something to do, and speaks through the one `Voice`.
"""

from collections.abc import Sequence
from typing import Protocol

from flightcore.autopilot import AUTOPILOT_COMPID, Autopilot
from flightcore.failsafe import Failsafe, Phase
from flightcore.navigation import Navigation
from flightcore.offboard.offboard import Offboard
from flightcore.options import Options
from flightcore.parameters import Parameters
from flightcore.prearm import PrearmGate, requirements
from flightcore.purge import Purge
from flightcore.rates import Rates
from flightcore.remote_id import RemoteId, is_transmitters
from flightcore.tasking.fence_reader import FenceReader
from flightcore.voice import Said, Voice
from wire.tasking import FlyReason


class Part(Protocol):
    """One thing to watch. `forget` returns it to its zero state: the autopilot has gone."""

    watched: frozenset[int]

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one checksummed frame of the autopilot, of a message in `watched`."""

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""

    def tick(self, now_ns: int) -> None:
        """Do what is due."""

    def forget(self) -> None:
        """Forget the autopilot: its line is gone, and what comes back may be another."""


class Watch:
    """The parts, and who gets which frame."""

    def __init__(self, autopilot: Autopilot, options: Options) -> None:
        self._autopilot = autopilot
        self.voice = Voice(autopilot)
        table = requirements(options.prearm)
        self.parameters = Parameters([row.names for row in table], autopilot, self.voice)
        self._remote_id = RemoteId() if options.prearm.requires_remote_id else None
        self.prearm = PrearmGate(
            table, self.parameters, self.voice, options.prearm, self._remote_id
        )
        self.navigation = Navigation(self.voice)
        self.failsafe = Failsafe(
            autopilot, self.parameters, self.voice, lambda: self.navigation.is_suspect
        )
        self.rates = Rates(autopilot, self.voice) if options.asks_rates else None
        self.offboard = Offboard(
            autopilot,
            self.parameters,
            self.voice,
            self._hindrance,
            options.ability,
            options.setpoints,
        )
        self.fence = FenceReader(autopilot, self.voice)
        self._parts: list[Part] = [
            self.parameters,
            self.navigation,
            self.failsafe,
            self.offboard,
            self.fence,
        ]
        if self.rates is not None:
            self._parts.append(self.rates)
        if self._remote_id is not None:
            self._parts.append(self._remote_id)
        if options.purges:
            self._parts.append(Purge(autopilot, self.voice))
        self._takers: dict[bytes, list[Part]] = {}
        for part in self._parts:
            for number in part.watched:
                self._takers.setdefault(number.to_bytes(3, "little"), []).append(part)

    def receive(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Take what the autopilot sent.

        Frames of other components aboard are not its word, nor are those of other vehicles; but a
        remote identification transmitter speaks for itself.
        """
        takers, sysid = self._takers, self._autopilot.sysid
        for frame in frames:
            if frame[7:10] not in takers or frame[5] != sysid:
                continue
            if frame[6] == AUTOPILOT_COMPID or is_transmitters(frame):
                for part in takers[frame[7:10]]:
                    part.receive(frame, now_ns)

    def passed(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Note what an operator has been let say to the autopilot."""
        self.parameters.passed(frames, now_ns)
        self.failsafe.passed(frames, now_ns)
        self.offboard.passed(frames, now_ns)
        self.fence.passed(frames)

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        first: int | None = None
        for part in self._parts:
            time = part.deadline_ns()
            if time is not None and (first is None or time < first):
                first = time
        return first

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        for part in self._parts:
            part.tick(now_ns)

    def line_lost(self) -> None:
        """Forget the autopilot: its line is gone."""
        for part in self._parts:
            part.forget()

    def _hindrance(self) -> FlyReason:
        """Return what forbids the companion to steer."""
        if self.failsafe.phase is not Phase.UP:
            return FlyReason.LINK_LOST
        return FlyReason.NAVIGATION if self.navigation.is_suspect else FlyReason.NONE

    def outgoing(self) -> Said:
        """Return what the parts have to say."""
        return self.voice.outgoing()
