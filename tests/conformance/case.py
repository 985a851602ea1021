"""The table of cases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.conformance.pilot import Pilot

Observed = list[str]
Script = Callable[[Pilot], Observed]


@dataclass(frozen=True)
class Case:
    """One script. `why` explains how the embedded autopilot differs; None: it does not.

    After a case that `spoils` its vehicle the next one gets a fresh one.
    """

    area: str
    name: str
    script: Script
    why: str | None
    spoils: bool

    @property
    def key(self) -> str:
        return f"{self.area}: {self.name}"


CASES: Final[dict[str, Case]] = {}


class Area:
    """Registers the cases of one area in the order they are written."""

    def __init__(self, name: str) -> None:
        self.name = name

    def case(
        self, name: str, why: str | None = None, *, spoils: bool = False
    ) -> Callable[[Script], Script]:
        def register(script: Script) -> Script:
            self.add(name, script, why, spoils=spoils)
            return script

        return register

    def add(
        self, name: str, script: Script, why: str | None = None, *, spoils: bool = False
    ) -> None:
        case = Case(self.name, name, script, why, spoils)
        assert case.key not in CASES, case.key
        CASES[case.key] = case
