"""The autopilot as one sans-I/O core: bytes and time in, bytes out.

It dispatches messages to the parts that own them, runs their tasks and the outer control once a
period, 100 times a second, and decides which messages are for it at all. The inner control runs
with the physics (`sim.control.inner`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.airframe import Airframe
from sim.autopilot import telemetry
from sim.autopilot.command import as_int32
from sim.autopilot.commands import Commands
from sim.autopilot.failsafe import BatteryFailsafe, FenceFailsafe, GcsFailsafe
from sim.autopilot.flight import Sensed, Yaw, YawAim
from sim.autopilot.ftp import FileTransfer
from sim.autopilot.guided import Setpoint, attitude_setpoint, global_setpoint, local_setpoint
from sim.autopilot.mission import Item, item_of
from sim.autopilot.mission_transfer import MissionTransfer
from sim.autopilot.modes import Mode
from sim.autopilot.navigation import Navigation
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import ParameterProtocol, Parameters
from sim.autopilot.scene import Scene
from sim.autopilot.signing import LineSigning
from sim.autopilot.streams import Streams
from sim.autopilot.telemetry import BUILDERS
from sim.autopilot.vehicle import Vehicle
from sim.control.inner import Aim
from sim.control.reference import Target
from sim.geodesy import Place
from wire.mavlink import FrameSplitter

_PREARM_SAY_S: Final = 30.0
_STATISTICS_S: Final = 30.0
_TIMESYNC_NS: Final = 10_000_000_000
_IMPACT_SAID: Final = 0.05


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one simulated autopilot from another."""

    airframe: Airframe
    start: Place
    sysid: int = 1
    ekf_ready_s: float = 9.0


class Autopilot:
    """An ArduCopter on one link. The zero state is power-up at time 0.

    Invariant: nothing that arrives makes `receive` raise. One caller drives it: `receive` with
    bytes, `step` once a period of vehicle time, `outgoing` to write.
    """

    def __init__(
        self, identity: Identity, noise: np.random.Generator, parameters: Parameters | None = None
    ) -> None:
        self.parameters = parameters if parameters is not None else Parameters()
        self.parameters.store("MAV_SYSID", identity.sysid)
        self.splitter = FrameSplitter()
        self.signing = LineSigning()
        self.undecodable = 0
        self.outbox = Outbox(identity.sysid)
        self.vehicle = Vehicle(
            identity.airframe, identity.start, self.parameters, self.outbox, identity.ekf_ready_s
        )
        self._noise = noise
        self._decoder = dialect.MAVLink(None)
        self._streams = Streams(self.parameters)
        self._protocol = ParameterProtocol(self.parameters, self.outbox)
        self._commands = Commands(self.vehicle, self._streams, self.outbox)
        self._navigation = Navigation(self.vehicle, self.outbox)
        self.gcs_failsafe = GcsFailsafe(self.vehicle, self.outbox)
        self._battery_failsafe = BatteryFailsafe(self.vehicle, self.outbox)
        self._fence_failsafe = FenceFailsafe(self.vehicle, self.outbox)
        self._ftp = FileTransfer(self.parameters, self.outbox)
        self.fence_items: list[Item] = []
        self._transfers = {
            kind: MissionTransfer(kind, items, self.outbox, changed)
            for kind, items, changed in (
                (0, self.vehicle.mission.items, self._mission_changed),
                (1, self.fence_items, self._fence_changed),
                (2, self.vehicle.ground.rally, self._rally_changed),
            )
        }
        self._neighbours: set[int] = set()
        self._timesync_ns = _TIMESYNC_NS
        self._prearm_s = 0.0
        self._statistics_s = 0.0
        self._flight_s = 0.0
        self._now_ns = 0
        self._utc_us = 0
        self._wind_n = (0.0, 0.0, 0.0)
        self._home_stored: Place | None = None
        self._handlers = self._handler_table()

    @property
    def reboot_wanted(self) -> bool:
        """Tell whether a client asked for a reboot, which only the owner of this core can do."""
        return self._commands.reboot_wanted

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the link."""
        self._now_ns = now_ns
        for frame in self.splitter.receive(data):
            if not self.signing.accept(frame):
                continue
            try:
                message = self._decoder.decode(bytearray(frame))
            except (dialect.MAVError, ValueError):
                # Text that is no text, say.
                self.undecodable += 1
                continue
            if self._accepts(message):
                handler = self._handlers.get(message.get_msgId())
                if handler is not None:
                    handler(message)

    def step(
        self,
        sensed: Sensed,
        now_ns: int,
        utc_us: int,
        dt_s: float,
        wind_n: tuple[float, float, float],
    ) -> Aim:
        """Run one period of `dt_s`; return what the inner loop is to hold meanwhile."""
        self._now_ns, self._utc_us, self._wind_n = now_ns, utc_us, wind_n
        self._navigation.step(sensed, now_ns * 1e-9, dt_s)
        sensed = self._navigation.believed(sensed)
        if sensed.impact_speed > _IMPACT_SAID:
            text = f"SIM Hit ground at {sensed.impact_speed:f} m/s"
            self.outbox.text(Severity.INFO, text)
        self._slow_step(sensed, now_ns, dt_s)
        return self.vehicle.flight.step(sensed, dt_s)

    def restore(self, old: "Autopilot") -> None:
        """Take over what flash memory keeps besides parameters: what was uploaded."""
        self.vehicle.mission.items.extend(old.vehicle.mission.items)
        self.vehicle.ground.rally.extend(old.vehicle.ground.rally)
        self.fence_items.extend(old.fence_items)
        self.vehicle.fence.load(self.fence_items)

    def outgoing(self) -> list[bytes]:
        """Return the frames to write, oldest first, and forget them."""
        return [self.signing.sign(frame) for frame in self.outbox.outgoing()]

    def _slow_step(self, sensed: Sensed, now_ns: int, dt_s: float) -> None:
        now_s = now_ns * 1e-9
        vehicle = self.vehicle
        vehicle.step(sensed, now_s, dt_s)
        self.gcs_failsafe.step(now_s)
        self._battery_failsafe.step(sensed, dt_s)
        self._fence_failsafe.step(sensed, now_s, dt_s)
        self._store_home()
        self._commands.step(now_s)
        self.signing.step(now_ns)
        self._protocol.step(dt_s)
        self._ftp.step(dt_s)
        for transfer in self._transfers.values():
            if transfer.is_uploading:
                transfer.step(now_ns)
        self._ask_time(now_ns)
        self._say_prearm(dt_s)
        self._keep_statistics(now_s, dt_s)
        due = self._streams.due(now_ns)
        if not due:
            return
        scene = self._scene()
        for message_id in due:
            message = BUILDERS[message_id](scene)
            if message is not None:
                self.outbox.send(message)

    def _scene(self) -> Scene:
        return Scene(self.vehicle, self._now_ns, self._utc_us, self._noise, self._wind_n)

    def _accepts(self, message: dialect.MAVLink_message) -> bool:
        """Decide whether a message is for this vehicle.

        System 0 is everyone. A component that nobody has heard of is taken for this one, so a
        wrong component id in a command still flies; one that is heard on the link is not.
        """
        sysid, compid = message.get_srcSystem(), message.get_srcComponent()
        if sysid == self.outbox.sysid:
            if compid == 1:
                return False  # our own frames, echoed by the line
            self._neighbours.add(compid)
        enforced = self.parameters.bits("MAV_OPTIONS") & 1
        if enforced and sysid not in (self.outbox.sysid, int(self.parameters["MAV_GCS_SYSID"])):
            return False
        target = getattr(message, "target_system", 0)
        if target not in (0, self.outbox.sysid):
            return False
        component = getattr(message, "target_component", 0)
        return target == 0 or component not in self._neighbours

    def _handler_table(self) -> dict[int, Callable[[dialect.MAVLink_message], None]]:
        d = dialect
        return {
            d.MAVLINK_MSG_ID_HEARTBEAT: self._on_gcs,
            d.MAVLINK_MSG_ID_COMMAND_LONG: self._on_command,
            d.MAVLINK_MSG_ID_COMMAND_INT: self._on_command,
            d.MAVLINK_MSG_ID_SET_MODE: self._on_set_mode,
            d.MAVLINK_MSG_ID_PARAM_REQUEST_LIST: lambda _: self._protocol.request_list(),
            d.MAVLINK_MSG_ID_PARAM_REQUEST_READ: self._on_param_read,
            d.MAVLINK_MSG_ID_PARAM_SET: self._on_param_set,
            d.MAVLINK_MSG_ID_REQUEST_DATA_STREAM: self._on_stream,
            d.MAVLINK_MSG_ID_TIMESYNC: self._on_timesync,
            d.MAVLINK_MSG_ID_MISSION_COUNT: self._on_mission_count,
            d.MAVLINK_MSG_ID_MISSION_WRITE_PARTIAL_LIST: self._on_mission_partial,
            d.MAVLINK_MSG_ID_MISSION_ITEM: self._on_mission_item,
            d.MAVLINK_MSG_ID_MISSION_ITEM_INT: self._on_mission_item,
            d.MAVLINK_MSG_ID_MISSION_REQUEST_LIST: self._on_mission_list,
            d.MAVLINK_MSG_ID_MISSION_REQUEST: self._on_mission_request,
            d.MAVLINK_MSG_ID_MISSION_REQUEST_INT: self._on_mission_request,
            d.MAVLINK_MSG_ID_MISSION_CLEAR_ALL: self._on_mission_clear,
            d.MAVLINK_MSG_ID_MISSION_SET_CURRENT: self._on_mission_set_current,
            d.MAVLINK_MSG_ID_SET_POSITION_TARGET_LOCAL_NED: self._on_local_setpoint,
            d.MAVLINK_MSG_ID_SET_POSITION_TARGET_GLOBAL_INT: self._on_global_setpoint,
            d.MAVLINK_MSG_ID_SET_ATTITUDE_TARGET: self._on_attitude_setpoint,
            d.MAVLINK_MSG_ID_RC_CHANNELS_OVERRIDE: self._on_rc_override,
            d.MAVLINK_MSG_ID_MANUAL_CONTROL: self._on_manual_control,
            d.MAVLINK_MSG_ID_FILE_TRANSFER_PROTOCOL: self._ftp.receive,
            d.MAVLINK_MSG_ID_LOG_REQUEST_LIST: self._on_log_list,
            d.MAVLINK_MSG_ID_SETUP_SIGNING: self._on_setup_signing,
        }

    def _on_setup_signing(self, message: dialect.MAVLink_message) -> None:
        if self.vehicle.flight.armed:
            self.outbox.text(Severity.WARNING, "ERROR: Won't setup signing when armed")
            return
        self.signing.set_up(bytes(message.secret_key), message.initial_timestamp)

    def _from_gcs(self, message: dialect.MAVLink_message) -> bool:
        return bool(message.get_srcSystem() == int(self.parameters["MAV_GCS_SYSID"]))

    def _on_gcs(self, message: dialect.MAVLink_message) -> None:
        if self._from_gcs(message):
            self.gcs_failsafe.heard(self._now_ns * 1e-9)

    def _on_command(self, message: dialect.MAVLink_message) -> None:
        self._commands.receive(message, self._scene())

    def _on_set_mode(self, message: dialect.MAVLink_message) -> None:
        if message.base_mode & dialect.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED:
            self.vehicle.set_mode_number(message.custom_mode & 0xFF)

    def _on_param_read(self, message: dialect.MAVLink_message) -> None:
        self._protocol.request_read(message.param_id, message.param_index)

    def _on_param_set(self, message: dialect.MAVLink_message) -> None:
        if self._protocol.set(message.param_id, message.param_value):
            self._streams.follow_parameter(message.param_id)

    def _on_stream(self, message: dialect.MAVLink_message) -> None:
        self._streams.request_group(
            message.req_stream_id, message.req_message_rate, start=message.start_stop == 1
        )

    def _on_timesync(self, message: dialect.MAVLink_message) -> None:
        if message.tc1 == 0:
            self.outbox.send(dialect.MAVLink_timesync_message(self._now_ns, message.ts1))

    def _ask_time(self, now_ns: int) -> None:
        """Ask the link for its time every 10 s, as ArduPilot does."""
        if now_ns >= self._timesync_ns:
            self._timesync_ns = now_ns + _TIMESYNC_NS
            self.outbox.send(dialect.MAVLink_timesync_message(0, now_ns))

    def _on_log_list(self, _message: dialect.MAVLink_message) -> None:
        # There are no logs aboard: the entry says so.
        self.outbox.send(dialect.MAVLink_log_entry_message(0, 0, 0, 0, 0))

    def _transfer(self, message: dialect.MAVLink_message) -> MissionTransfer | None:
        transfer = self._transfers.get(message.mission_type)
        if transfer is None:
            self.outbox.send(
                dialect.MAVLink_mission_ack_message(
                    message.get_srcSystem(),
                    message.get_srcComponent(),
                    dialect.MAV_MISSION_UNSUPPORTED,
                    message.mission_type,
                )
            )
        return transfer

    def _on_mission_count(self, message: dialect.MAVLink_message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.count(message, self._now_ns)

    def _on_mission_partial(self, message: dialect.MAVLink_message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.write_partial(message, self._now_ns)

    def _on_mission_item(self, message: dialect.MAVLink_message) -> None:
        if message.mission_type == 0 and message.current in (2, 3):
            self._guided_item(message)
            return
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.item(message, self._now_ns)

    def _on_mission_list(self, message: dialect.MAVLink_message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.request_list(message)

    def _on_mission_request(self, message: dialect.MAVLink_message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            first = message.mission_type == 0 and message.seq == 0
            transfer.request(message, self._home_item() if first else None)

    def _on_mission_clear(self, message: dialect.MAVLink_message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.clear(message)

    def _on_mission_set_current(self, message: dialect.MAVLink_message) -> None:
        if message.seq < max(len(self.vehicle.mission.items), 1):
            self.vehicle.auto.set_current(message.seq, self.vehicle.sensed)
            self.outbox.send(telemetry.mission_current(self._scene(), message.seq))

    def _on_local_setpoint(self, message: dialect.MAVLink_message) -> None:
        if self.vehicle.mode is Mode.GUIDED:
            self.vehicle.guide(local_setpoint(message, self.vehicle.sensed.motion))

    def _on_global_setpoint(self, message: dialect.MAVLink_message) -> None:
        origin = self.vehicle.ground.origin
        if self.vehicle.mode is Mode.GUIDED and origin is not None:
            home_alt = self.vehicle.ground.home_alt
            self.vehicle.guide(global_setpoint(message, origin, home_alt))

    def _on_attitude_setpoint(self, message: dialect.MAVLink_message) -> None:
        if self.vehicle.mode is Mode.GUIDED:
            limits = self.vehicle.flight.reference.limits
            self.vehicle.guide_attitude(
                attitude_setpoint(
                    message,
                    thrust_as_thrust=self.vehicle.thrust_as_thrust,
                    speed_up=limits.speed_up,
                    speed_down=limits.speed_down,
                )
            )

    def _on_rc_override(self, message: dialect.MAVLink_message) -> None:
        if self._from_gcs(message):
            self.gcs_failsafe.heard(self._now_ns * 1e-9)
            values = tuple(getattr(message, f"chan{i}_raw") for i in range(1, 9))
            self.vehicle.sticks.override(values, self._now_ns * 1e-9)

    def _on_manual_control(self, message: dialect.MAVLink_message) -> None:
        if self._from_gcs(message) and message.target == self.outbox.sysid:
            self.gcs_failsafe.heard(self._now_ns * 1e-9)
            axes = (message.x, message.y, message.z, message.r)
            if all(abs(a) <= 1000 for a in axes):
                self.vehicle.sticks.manual(*axes, self._now_ns * 1e-9)

    def _guided_item(self, message: dialect.MAVLink_message) -> None:
        """Go to a mission item sent with `current` 2, or change altitude with 3."""
        vehicle, ground = self.vehicle, self.vehicle.ground
        parsed = item_of(message)
        result = parsed if isinstance(parsed, int) else int(dialect.MAV_MISSION_ERROR)
        if isinstance(parsed, Item) and vehicle.mode is Mode.GUIDED and ground.origin is not None:
            place = ground.item_north_east(parsed)
            if message.current == 3:
                place = vehicle.flight.target.position_n
            if place is not None and parsed.command == dialect.MAV_CMD_NAV_WAYPOINT:
                target = Target(place, ground.item_down(parsed))
                vehicle.guide(Setpoint(target, Yaw(YawAim.AHEAD), expires=False))
                result = int(dialect.MAV_MISSION_ACCEPTED)
        self.outbox.send(
            dialect.MAVLink_mission_ack_message(
                message.get_srcSystem(), message.get_srcComponent(), result, 0
            )
        )

    def _home_item(self) -> Item | None:
        home = self.vehicle.ground.home
        if home is None:
            return None
        waypoint = dialect.MAV_CMD_NAV_WAYPOINT
        return Item(waypoint, 0, 0.0, 0.0, 0.0, 0.0, home.lat_deg_e7, home.lon_deg_e7, home.alt)

    def _store_home(self) -> None:
        """Keep home as item 0, which makes an empty mission one item long."""
        home = self.vehicle.ground.home
        if home is self._home_stored:
            return
        self._home_stored = home
        item = self._home_item()
        items = self.vehicle.mission.items
        if item is None:
            return
        if items:
            items[0] = item
        else:
            items.append(item)
            self._announce_total()

    def _mission_changed(self, text: str | None) -> None:
        if text is not None:
            self.outbox.text(Severity.INFO, text)
        else:
            self.vehicle.mission.reset()
        self._announce_total()

    def _fence_changed(self, text: str | None) -> None:
        self.vehicle.fence.load(self.fence_items)
        self._stored("FENCE_TOTAL", len(self.fence_items), text)

    def _rally_changed(self, text: str | None) -> None:
        self._stored("RALLY_TOTAL", len(self.vehicle.ground.rally), text)

    def _stored(self, name: str, count: int, text: str | None) -> None:
        self.parameters.store(name, count)
        if text is not None:
            self.outbox.text(Severity.INFO, text)

    def _announce_total(self) -> None:
        self.parameters.store("MIS_TOTAL", len(self.vehicle.mission.items))
        self._protocol.announce("MIS_TOTAL")

    def _say_prearm(self, dt_s: float) -> None:
        """Say every 30 s why a disarmed vehicle would not arm."""
        if self.vehicle.flight.armed:
            return
        self._prearm_s += dt_s
        if self._prearm_s >= _PREARM_SAY_S:
            self._prearm_s = 0.0
            for reason in self.vehicle.arming_reasons():
                self.outbox.text(Severity.CRITICAL, f"PreArm: {reason}")

    def _keep_statistics(self, now_s: float, dt_s: float) -> None:
        if self.vehicle.flight.armed and not self.vehicle.flight.landed:
            self._flight_s += dt_s
        self._statistics_s += dt_s
        if self._statistics_s < _STATISTICS_S:
            return
        self._statistics_s = 0.0
        for name, value in (("STAT_FLTTIME", self._flight_s), ("STAT_RUNTIME", now_s)):
            if as_int32(value) != int(self.parameters[name]):
                self.parameters.store(name, as_int32(value))
                self._protocol.announce(name)
