"""The areas of the table, in the order they are flown."""

from types import ModuleType
from typing import Final

from tests.conformance import (
    on_arming,
    on_commands,
    on_failsafes,
    on_fences,
    on_files,
    on_flight,
    on_guided,
    on_identity,
    on_missions,
    on_modes,
    on_parameters,
    on_running_missions,
    on_sticks,
    on_streams,
)

ALL: Final[tuple[ModuleType, ...]] = (
    on_identity,
    on_parameters,
    on_commands,
    on_streams,
    on_arming,
    on_modes,
    on_missions,
    on_fences,
    on_files,
    on_flight,
    on_guided,
    on_running_missions,
    on_sticks,
    on_failsafes,
)
