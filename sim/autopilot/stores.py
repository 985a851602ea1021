"""What is uploaded and kept: mission, fence and rally points, and home as item 0 of the mission."""

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.items import Item
from sim.autopilot.mission_transfer import Change, MissionTransfer
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import ParameterProtocol, Parameters
from sim.autopilot.scene import Message
from sim.autopilot.vehicle import Vehicle
from sim.autopilot.zones import fault_of_zones
from sim.geodesy import Place


class Stores:
    """The three stores and their transfers. Owned by the autopilot, which steps it at 100 Hz."""

    def __init__(
        self,
        vehicle: Vehicle,
        parameters: Parameters,
        protocol: ParameterProtocol,
        outbox: Outbox,
    ) -> None:
        self._vehicle = vehicle
        self._parameters = parameters
        self._protocol = protocol
        self._outbox = outbox
        self.mission_items = vehicle.mission.items
        self.rally_points = vehicle.ground.rally
        self.fence_items: list[Item] = []
        self._home_stored: Place | None = None
        self._transfers = {
            0: MissionTransfer(
                0,
                self.mission_items,
                outbox,
                self._mission_changed,
                in_use=lambda: vehicle.mission.running,
            ),
            1: MissionTransfer(1, self.fence_items, outbox, self._fence_changed, fault_of_zones),
            2: MissionTransfer(2, self.rally_points, outbox, self._rally_changed),
        }

    def step(self, now_ns: int) -> None:
        """Keep uploads going, and home up to date."""
        self._store_home()
        for transfer in self._transfers.values():
            transfer.step(now_ns)

    def restore(self, old: "Stores") -> None:
        """Take over what flash memory kept."""
        self.mission_items.extend(old.mission_items)
        self.rally_points.extend(old.rally_points)
        self.fence_items.extend(old.fence_items)
        self._vehicle.fence.load(self.fence_items)

    def transfer(self, message: Message) -> MissionTransfer | None:
        """Return the transfer that a message of the mission protocol is for, or refuse it."""
        transfer = self._transfers.get(message.mission_type)
        if transfer is None:
            self._outbox.send(
                dialect.MAVLink_mission_ack_message(
                    message.get_srcSystem(),
                    message.get_srcComponent(),
                    dialect.MAV_MISSION_UNSUPPORTED,
                    message.mission_type,
                )
            )
        return transfer

    def home_item(self) -> Item | None:
        """Return home as a waypoint, None while it is not set."""
        home = self._vehicle.ground.home
        if home is None:
            return None
        waypoint = dialect.MAV_CMD_NAV_WAYPOINT
        return Item(waypoint, 0, 0.0, 0.0, 0.0, 0.0, home.lat_deg_e7, home.lon_deg_e7, home.alt)

    def _store_home(self) -> None:
        """Keep home as item 0, which makes an empty mission one item long."""
        home = self._vehicle.ground.home
        if home is self._home_stored:
            return
        self._home_stored = home
        item = self.home_item()
        items = self._vehicle.mission.items
        if item is None:
            return
        if items:
            items[0] = item
        else:
            items.append(item)
            self._announce("MIS_TOTAL", len(items))

    def _mission_changed(self, change: Change) -> None:
        if change is Change.UPLOADED:
            self._outbox.text(Severity.INFO, "Flight plan received")
        else:
            self._vehicle.mission.reset()
        self._announce("MIS_TOTAL", len(self._vehicle.mission.items))

    def _fence_changed(self, _change: Change) -> None:
        self._vehicle.fence.load(self.fence_items)
        self._outbox.text(Severity.DEBUG, "Fence Indexed OK")
        self._announce("FENCE_TOTAL", len(self.fence_items))

    def _rally_changed(self, _change: Change) -> None:
        self._announce("RALLY_TOTAL", len(self._vehicle.ground.rally))

    def _announce(self, name: str, count: int) -> None:
        self._parameters.store(name, count)
        self._protocol.announce(name)
