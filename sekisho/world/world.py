"""A world: N vehicles in one batch, each with its companion, and one gateway, on a virtual clock.

The cores are those that fly; disks are memory, the line is a function call, the air is
`sim.channel.air.Air`. Everything random comes from one seed but for what the library draws itself:
the encapsulations of ML-KEM, which are as long whatever they hold.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import numpy as np

from crypto.pair import Identity, PairNames, Role, pair_in_lab
from crypto.primitives import KEY_BYTES, Ed25519, RandomBytes, XWingKeyPair
from flightcore.companion import Companion
from flightcore.options import DEFAULT_OPTIONS, Options
from groundstation.station import Station
from sekisho.world.agenda import Agenda
from sekisho.world.evidence import Evidence
from sekisho.world.operator import Operator, Script
from sekisho.world.strand import Ends, Strand, Where, Witness
from sim.autopilot.parameter_file import parse, safe_text
from sim.autopilot.parameters import Parameters
from sim.channel.air import Air
from sim.channel.script import Script as Weather
from sim.fleet import Fleet
from sim.geodesy import Place
from sim.simulation import COARSE, Pace
from sim.simulation import World as Surroundings
from tracing.executors import Batch
from wire.recorder import When

START_NS: Final = 10**12
STARTED_US: Final = 1_795_253_000_000_000  # wall time at `START_NS`, since 1970
HOME: Final = Place(356585999, 1397454001, 20.0)
APART_M: Final = 5.0
CLEAR: Final = Weather(())
RECORDING: Final = replace(DEFAULT_OPTIONS, record=When.ARMED)


def _unseen(_where: Where, _number: int, _now_ns: int, _data: bytes) -> None:
    """Witness nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a world is made of.

    Attributes:
        script: What each operator does.
        drones: How many.
        seed: Of every random number.
        weather: What the air does to every drone's datagrams, by chances of its own.
        options: What the owner of the drones has chosen.
        parameters: Of the autopilots, over the safe ones.
        wind: Speed [m/s] and the direction it comes from [degree].
        pace: How finely vehicles are simulated.
        executor: What runs the physics, as `tracing.compiled.Compiled`; None: numbers for a few
            vehicles, numpy for many. The flights are the same.
        witness: Sees everything that passes.
    """

    script: Callable[[int], Script]
    drones: int = 1
    seed: int = 0
    weather: Weather = CLEAR
    options: Options = RECORDING
    parameters: dict[str, float] = field(default_factory=dict)
    wind: tuple[float, float] = (0.0, 0.0)
    pace: Pace = COARSE
    executor: type[Batch] | None = None
    witness: Witness = _unseen


class World:
    """Everything at one moment. The zero state is power-up of all of it at `START_NS`.

    Invariant: what happens depends on the setting alone.

    Attributes:
        strands: One for each drone.
        log_key: What opens the sealed recordings.
    """

    def __init__(self, setting: Setting) -> None:
        draw = _source(setting.seed, 0)
        self.now_ns = START_NS
        self.log_key = XWingKeyPair(draw(KEY_BYTES))
        ground = Identity.create(draw)
        self._fleet = _fleet(setting)
        self.strands = [self._strand(number, setting, ground) for number in range(setting.drones)]
        self._agenda = Agenda(setting.drones)
        self._period_ns = setting.pace.period * setting.pace.tick_ns
        self._step_ns = START_NS + self._period_ns
        for strand in self.strands:
            strand.companion.start(START_NS)
            self._agenda.set(strand.number, START_NS)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self._run(self.now_ns + round(seconds * 1e9))

    def run_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until something is so, looked at every second; tell whether it came."""
        end_ns = self.now_ns + round(seconds * 1e9)
        while not condition() and self.now_ns < end_ns:
            self._run(min(self.now_ns + 1_000_000_000, end_ns))
        return condition()

    def close(self) -> None:
        """Stop every companion, and complete what they have recorded."""
        for strand in self.strands:
            strand.companion.stop(self.now_ns)
            strand.evidence.record(strand.companion.recorder.outgoing())
            strand.evidence.note(strand.companion.trail.outgoing())
            strand.evidence.close()

    def _run(self, end_ns: int) -> None:
        agenda, strands = self._agenda, self.strands
        while True:
            # Vehicles first: what they have to say at a moment goes with what is due then.
            due = agenda.pop(min(end_ns, self._step_ns - 1))
            if due is not None:
                self.now_ns, number = due
                agenda.set(number, strands[number].settle(self.now_ns))
            elif self._step_ns <= end_ns:
                self.now_ns = self._step_ns
                self._step_ns += self._period_ns
                self._step()
            else:
                self.now_ns = end_ns
                return

    def _step(self) -> None:
        fleet, now_ns = self._fleet, self.now_ns
        while fleet.now_ns < now_ns - START_NS:
            fleet.step()
        for strand in self.strands:
            sent = strand.vehicle.outgoing()
            if sent:
                strand.receive_line(b"".join(sent), now_ns)
                self._agenda.set(strand.number, strand.settle(now_ns))

    def _strand(self, number: int, setting: Setting, ground: Identity) -> Strand:
        draw = _source(setting.seed, number + 1)
        names = PairNames(f"tsubame-{number + 1}", "gateway", Role.COMMANDER)
        for_drone, for_ground = pair_in_lab(Identity.create(draw), ground, names, draw)
        evidence = Evidence(
            for_drone,
            self.log_key.public,
            Ed25519(draw(KEY_BYTES)),
            draw,
            STARTED_US * 1000 - START_NS,
        )
        weather = msgspec.structs.replace(
            setting.weather, seed=setting.weather.seed * 1000 + number
        )
        ends = Ends(
            self._fleet.simulations[number],
            Companion([for_drone], 1, draw, options=setting.options),
            evidence,
            Air(weather),
            Station(for_ground, 1, _source(setting.seed, 1000 + number)),
            Operator(number + 1, setting.script(number), START_NS),
        )
        return Strand(number, ends, setting.witness)


def _fleet(setting: Setting) -> Fleet:
    """Return the vehicles, `APART_M` apart to the east of `HOME`, at power-up."""
    speed, comes_from_deg = setting.wind
    numbers = range(setting.drones)
    fleet = Fleet(
        [
            Surroundings(
                HOME.offset(0.0, APART_M * number),
                wind_speed=speed,
                wind_from=math.radians(comes_from_deg),
                epoch_us=STARTED_US,
            )
            for number in numbers
        ],
        [np.random.default_rng((setting.seed, number)) for number in numbers],
        pace=setting.pace,
        executor=setting.executor,
    )
    safe = parse(safe_text(), frozenset(Parameters().names))
    for vehicle in fleet.simulations:
        for name, value in (safe | setting.parameters).items():
            vehicle.autopilot.parameters.store(name, value)
    return fleet


def _source(seed: int, number: int) -> RandomBytes:
    # Apart from the vehicles' noise, which is drawn by two numbers.
    return np.random.default_rng((seed, 1, number)).bytes
