"""One drone of a world: its vehicle, companion and air, and its station and operator on the ground.

Nothing here has a clock: `settle` is told the time, does what is due by then, and carries what that
makes until nothing moves any more.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

from crypto.sessions import Path
from flightcore.companion import Companion
from groundstation.station import Station
from sekisho.world.evidence import Evidence
from sekisho.world.operator import Operator
from sim.channel.air import Air
from sim.channel.script import Way
from sim.simulation import Simulation

GROUND: Final[Path] = ("192.168.50.2", 40000)
_NEVER: Final = 1 << 62
_ROUNDS: Final = 1000  # more at one moment is a deadline that never passes


class Where(StrEnum):
    """What bytes pass, as a witness sees them."""

    LINE_DOWN = "from the autopilot"
    LINE_UP = "to the autopilot"
    AIR_UP = "sent by the station"
    AIR_DOWN = "sent by the companion"
    HEARD_UP = "heard by the companion"
    HEARD_DOWN = "heard by the station"


Witness = Callable[[Where, int, int, bytes], None]
"""Called with what passes where, the number of the drone, when [ns], and the bytes."""


class Ends(NamedTuple):
    """What a strand joins."""

    vehicle: Simulation
    companion: Companion
    evidence: Evidence
    air: Air
    station: Station
    operator: Operator


class Strand:
    """From the autopilot to the operator and back. The zero state has carried nothing."""

    def __init__(self, number: int, ends: Ends, witness: Witness) -> None:
        self.number = number
        self.vehicle, self.companion, self.evidence, self.air, self.station, self.operator = ends
        self._witness = witness
        # When each has something to do; None once it has been touched.
        self._air_ns: int | None = None
        self._station_ns: int | None = None
        self._companion_ns: int | None = None

    def receive_line(self, data: bytes, now_ns: int) -> None:
        """Take what the autopilot has sent."""
        self._witness(Where.LINE_DOWN, self.number, now_ns, data)
        self.companion.receive_line(data, now_ns)
        self._pump_companion(now_ns)

    def settle(self, now_ns: int) -> int:
        """Do what is due now; return when something is due next."""
        for _ in range(_ROUNDS):
            if self._air_ns is None:
                self._air_ns = _or_never(self.air.deadline_ns())
            if self._air_ns <= now_ns:
                self._deliver(now_ns)
                continue
            operator_ns = self.operator.deadline_ns()
            if operator_ns <= now_ns:
                self.operator.tick(now_ns)
                self._pump_operator(now_ns)
                continue
            if self._station_ns is None:
                self._station_ns = _or_never(self.station.deadline_ns())
            if self._station_ns <= now_ns:
                self.station.tick(now_ns)
                self._pump_station(now_ns)
                continue
            if self._companion_ns is None:
                self._companion_ns = _or_never(self.companion.deadline_ns())
            if self._companion_ns <= now_ns:
                self.companion.tick(now_ns)
                self._pump_companion(now_ns)
                continue
            return min(self._air_ns, operator_ns, self._station_ns, self._companion_ns)
        raise AssertionError(f"drone {self.number}: a deadline never passes")

    def _deliver(self, now_ns: int) -> None:
        self._air_ns = None
        for way, datagram in self.air.outgoing(now_ns):
            if way is Way.FORTH:
                self._witness(Where.HEARD_UP, self.number, now_ns, datagram)
                self.companion.receive_link(datagram, GROUND, now_ns)
                self._pump_companion(now_ns)
            else:
                self._witness(Where.HEARD_DOWN, self.number, now_ns, datagram)
                plain = self.station.receive_link(datagram, now_ns)
                self._pump_station(now_ns)
                if plain:
                    self.operator.receive(plain, now_ns)
                    self._pump_operator(now_ns)

    def _pump_operator(self, now_ns: int) -> None:
        frames = self.operator.outgoing()
        if frames:
            self.station.send(frames, now_ns)
            self._pump_station(now_ns)

    def _pump_station(self, now_ns: int) -> None:
        self._station_ns = None
        for record in self.station.custody.outgoing_saves():
            self.station.custody.saved(record)
        for datagram, _ in self.station.outgoing():
            self._air_ns = None
            self._witness(Where.AIR_UP, self.number, now_ns, datagram)
            self.air.send(Way.FORTH, datagram, now_ns)

    def _pump_companion(self, now_ns: int) -> None:
        self._companion_ns = None
        companion, evidence = self.companion, self.evidence
        evidence.record(companion.recorder.outgoing())
        evidence.note(companion.trail.outgoing())
        if evidence.head:
            companion.link.log_head = evidence.head
        for item in companion.outgoing_saves():
            evidence.save(item)
            companion.saved(item, now_ns)
        companion.outgoing_notes()
        line = companion.outgoing_line()
        if line:
            self._witness(Where.LINE_UP, self.number, now_ns, line)
            self.vehicle.receive(line)
        for datagram, _ in companion.outgoing_link():
            self._air_ns = None
            self._witness(Where.AIR_DOWN, self.number, now_ns, datagram)
            self.air.send(Way.BACK, datagram, now_ns)


def _or_never(deadline_ns: int | None) -> int:
    return _NEVER if deadline_ns is None else deadline_ns
