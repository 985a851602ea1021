"""MAVSDK, the C++ library of other people's ground software, by its Python package."""

import contextlib
from types import TracebackType
from typing import Self

from mavsdk.component_type import ComponentType
from mavsdk.connection_result import ConnectionResult
from mavsdk.mavsdk import Configuration, Mavsdk
from mavsdk.plugins.action import Action, ActionError
from mavsdk.plugins.mission import Mission
from mavsdk.plugins.mission_raw import MissionRaw
from mavsdk.plugins.param import Param
from mavsdk.plugins.telemetry import Telemetry

from tests.e2e.processes import wait_until
from tests.e2e.vehicles import distance


class Sdk:
    """A MAVSDK instance with the parts of it that the tests use."""

    def __init__(self, url: str, timeout_s: float = 20) -> None:
        self._mavsdk = Mavsdk(
            Configuration.create_with_component_type(ComponentType.GROUND_STATION)
        )
        try:
            result = self._mavsdk.add_any_connection(url)
            assert result is ConnectionResult.SUCCESS, result
            system = self._mavsdk.first_autopilot(timeout_s)
            assert system, f"MAVSDK finds no autopilot at {url} in {timeout_s:g} s"
            self.action = Action(system)
            self.mission = Mission(system)
            self.mission_raw = MissionRaw(system)
            self.param = Param(system)
            self.telemetry = Telemetry(system)
        except BaseException:
            self._mavsdk.destroy()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mavsdk.destroy()

    def take_off(self, height: float, timeout_s: float) -> None:
        """Arm and take off as soon as the autopilot lets us: it waits for its position estimate."""
        self.action.set_takeoff_altitude(height)

        def accepted() -> bool:
            # MAVSDK arms in whatever mode there is, and after a landing that is one in which
            # ArduPilot does not arm; asking for a take-off makes it GUIDED.
            for request in (self.action.arm, self.action.takeoff):
                with contextlib.suppress(ActionError):
                    request()
            return self.telemetry.in_air()

        wait_until(accepted, timeout_s, "the autopilot accepts arming and take-off", every_s=0.5)

    def height(self) -> float:
        return self.telemetry.position().relative_altitude_m

    def distance_to(self, latitude_deg: float, longitude_deg: float) -> float:
        position = self.telemetry.position()
        return distance(position.latitude_deg, position.longitude_deg, latitude_deg, longitude_deg)
