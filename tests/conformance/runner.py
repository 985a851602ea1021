"""Flies cases on one vehicle after the other."""

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypedDict

from tests.conformance import areas
from tests.conformance.case import CASES, Observed
from tests.conformance.pilot import Pilot
from tests.conformance.vehicles import connected

RECORDED: Final = Path(__file__).with_name("recorded.json")
assert areas.ALL


class Recorded(TypedDict):
    """What is recorded, by the key of the case.

    Attributes:
        arducopter: What the real ArduCopter answered.
        embedded: What the embedded autopilot answers where that differs.
        unflown: Cases that the embedded one has not been recorded in.
    """

    arducopter: dict[str, Observed]
    embedded: dict[str, Observed]
    unflown: list[str]


def load() -> Recorded:
    """Return what is recorded."""
    found: Recorded = json.loads(RECORDED.read_text())
    return found


def record(observed: Mapping[str, Mapping[str, Observed]]) -> None:
    """Take what was observed as what must be observed."""
    old = load()
    real = {k: v for k, v in old["arducopter"].items() if k in CASES}
    real |= observed.get("arducopter", {})
    flown = observed.get("embedded", {})
    own = {k: v for k, v in old["embedded"].items() if k in CASES} | dict(flown)
    apart = {key: lines for key, lines in own.items() if lines != real.get(key)}
    unflown = sorted(set(old["unflown"]) - set(flown))
    text = json.dumps(Recorded(arducopter=real, embedded=apart, unflown=unflown), indent=1)
    RECORDED.write_text(text + "\n")


class Crew:
    """Flies cases on vehicles of one kind; a vehicle that was spoilt is replaced."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack = contextlib.ExitStack()
        self.pilot: Pilot | None = None

    def fly(self, key: str) -> Observed:
        """Fly one case; leave the vehicle as it was."""
        case = CASES[key]
        if self.pilot is None:
            self.pilot = Pilot(self._stack.enter_context(connected(self._name)))
            self.pilot.connect()
        observed = []
        try:
            observed = case.script(self.pilot)
            self.pilot.reset()
        except AssertionError as error:
            observed = [*observed, f"FAILED {error}"]
        if case.spoils or (observed and observed[-1].startswith("FAILED ")):
            self.close()
        return observed

    def close(self) -> None:
        """End the vehicle, if there is one."""
        self._stack.close()
        self.pilot = None


def fly(name: str, keys: list[str]) -> dict[str, Observed]:
    """Fly cases in order, telling about each."""
    observed = {}
    with contextlib.closing(Crew(name)) as crew:
        for key in keys:
            began = time.monotonic()
            observed[key] = crew.fly(key)
            print(f"{name:10s} {time.monotonic() - began:6.1f} s  {key}", file=sys.stderr)
            for line in observed[key]:
                print(f"    {line}", file=sys.stderr, flush=True)
    return observed
