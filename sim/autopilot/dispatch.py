"""Which messages are for this vehicle, and which part of it takes each."""

from collections.abc import Callable
from dataclasses import dataclass

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot import telemetry
from sim.autopilot.commands import Commands
from sim.autopilot.failsafe import GcsFailsafe
from sim.autopilot.flight import Yaw, YawAim
from sim.autopilot.ftp import FileTransfer
from sim.autopilot.guided import Setpoint, attitude_setpoint, global_setpoint, local_setpoint
from sim.autopilot.items import Item, item_of
from sim.autopilot.logbook import Logbook
from sim.autopilot.mission_transfer import MissionTransfer
from sim.autopilot.modes import Mode
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.parameters import ParameterProtocol, Parameters
from sim.autopilot.scene import Message, Scene
from sim.autopilot.signing import LineSigning
from sim.autopilot.stores import Stores
from sim.autopilot.streams import Streams
from sim.autopilot.vehicle import Vehicle
from sim.control.reference import Target


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that messages go to. `signing` is asked for, because a reboot replaces it."""

    vehicle: Vehicle
    parameters: Parameters
    outbox: Outbox
    streams: Streams
    protocol: ParameterProtocol
    commands: Commands
    gcs_failsafe: GcsFailsafe
    ftp: FileTransfer
    stores: Stores
    logbook: Logbook
    signing: Callable[[], LineSigning]
    scene: Callable[[], Scene]


class Dispatch:
    """Hands each message to the part that owns it; the rest is dropped."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._vehicle = parts.vehicle
        self._outbox = parts.outbox
        self._now_ns = 0
        self._handlers = self._handler_table()

    def receive(self, message: Message, now_ns: int) -> None:
        """Act on a message if it is for this vehicle."""
        self._now_ns = now_ns
        handler = self._handlers.get(message.get_msgId())
        if handler is not None and self._accepts(message):
            handler(message)

    def _accepts(self, message: Message) -> bool:
        """Decide whether a message is for this vehicle.

        System 0 is everyone. There is one link, so whatever component is named there is none to
        pass a message on to: a command with a wrong component id still flies.
        """
        own, sysid = self._outbox.sysid, message.get_srcSystem()
        if (sysid, message.get_srcComponent()) == (own, 1):
            return False  # our own frames, echoed by the line
        parameters = self._parts.parameters
        enforced = parameters.bits("MAV_OPTIONS") & 1
        if enforced and sysid not in (own, int(parameters["MAV_GCS_SYSID"])):
            return False
        return getattr(message, "target_system", 0) in (0, own)

    def _handler_table(self) -> dict[int, Callable[[Message], None]]:
        d, parts = dialect, self._parts
        return {
            d.MAVLINK_MSG_ID_HEARTBEAT: self._on_gcs,
            d.MAVLINK_MSG_ID_COMMAND_LONG: self._on_command,
            d.MAVLINK_MSG_ID_COMMAND_INT: self._on_command,
            d.MAVLINK_MSG_ID_SET_MODE: self._on_set_mode,
            d.MAVLINK_MSG_ID_PARAM_REQUEST_LIST: lambda _: parts.protocol.request_list(),
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
            d.MAVLINK_MSG_ID_FILE_TRANSFER_PROTOCOL: parts.ftp.receive,
            d.MAVLINK_MSG_ID_LOG_REQUEST_LIST: self._on_log_list,
            d.MAVLINK_MSG_ID_LOG_REQUEST_DATA: self._on_log_data,
            d.MAVLINK_MSG_ID_LOG_ERASE: self._on_log_erase,
            d.MAVLINK_MSG_ID_LOG_REQUEST_END: lambda _: parts.logbook.request_end(),
            d.MAVLINK_MSG_ID_SETUP_SIGNING: self._on_setup_signing,
        }

    def _on_setup_signing(self, message: Message) -> None:
        if self._vehicle.flight.armed:
            self._outbox.text(Severity.WARNING, "ERROR: Won't setup signing when armed")
            return
        self._parts.signing().set_up(bytes(message.secret_key), message.initial_timestamp)

    def _from_gcs(self, message: Message) -> bool:
        return bool(message.get_srcSystem() == int(self._parts.parameters["MAV_GCS_SYSID"]))

    def _on_gcs(self, message: Message) -> None:
        if self._from_gcs(message):
            self._parts.gcs_failsafe.heard(self._now_ns * 1e-9)

    def _on_command(self, message: Message) -> None:
        self._parts.commands.receive(message, self._parts.scene())

    def _on_set_mode(self, message: Message) -> None:
        if message.base_mode & dialect.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED:
            self._vehicle.set_mode_number(message.custom_mode & 0xFF)

    def _on_param_read(self, message: Message) -> None:
        self._parts.protocol.request_read(message.param_id, message.param_index)

    def _on_param_set(self, message: Message) -> None:
        if self._parts.protocol.set(message.param_id, message.param_value):
            self._parts.streams.follow_parameter(message.param_id)

    def _on_stream(self, message: Message) -> None:
        self._parts.streams.request_group(
            message.req_stream_id, message.req_message_rate, start=message.start_stop == 1
        )

    def _on_timesync(self, message: Message) -> None:
        if message.tc1 == 0:
            self._outbox.send(dialect.MAVLink_timesync_message(self._now_ns, message.ts1))

    def _on_log_list(self, message: Message) -> None:
        self._parts.logbook.request_list(message, armed=self._vehicle.flight.armed)

    def _on_log_data(self, message: Message) -> None:
        self._parts.logbook.request_data(message, armed=self._vehicle.flight.armed)

    def _on_log_erase(self, _message: Message) -> None:
        self._parts.logbook.erase(armed=self._vehicle.flight.armed)

    def _transfer(self, message: Message) -> MissionTransfer | None:
        return self._parts.stores.transfer(message)

    def _on_mission_count(self, message: Message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.count(message, self._now_ns)

    def _on_mission_partial(self, message: Message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.write_partial(message, self._now_ns)

    def _on_mission_item(self, message: Message) -> None:
        if message.mission_type == 0 and message.current in (2, 3):
            self._guided_item(message)
            return
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.item(message, self._now_ns)

    def _on_mission_list(self, message: Message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.request_list(message)

    def _on_mission_request(self, message: Message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            first = message.mission_type == 0 and message.seq == 0
            transfer.request(message, self._parts.stores.home_item() if first else None)

    def _on_mission_clear(self, message: Message) -> None:
        transfer = self._transfer(message)
        if transfer is not None:
            transfer.clear(message)

    def _on_mission_set_current(self, message: Message) -> None:
        if message.seq < max(len(self._vehicle.mission.items), 1):
            self._vehicle.auto.set_current(message.seq, self._vehicle.sensed)
            self._outbox.send(telemetry.mission_current(self._parts.scene(), message.seq))

    def _on_local_setpoint(self, message: Message) -> None:
        if self._vehicle.mode is Mode.GUIDED:
            self._vehicle.guide(local_setpoint(message, self._vehicle.sensed.motion))

    def _on_global_setpoint(self, message: Message) -> None:
        origin = self._vehicle.ground.origin
        if self._vehicle.mode is Mode.GUIDED and origin is not None:
            home_alt = self._vehicle.ground.home_alt
            self._vehicle.guide(global_setpoint(message, origin, home_alt))

    def _on_attitude_setpoint(self, message: Message) -> None:
        if self._vehicle.mode is Mode.GUIDED:
            limits = self._vehicle.flight.reference.limits
            self._vehicle.guide_attitude(
                attitude_setpoint(
                    message,
                    thrust_as_thrust=self._vehicle.thrust_as_thrust,
                    speed_up=limits.speed_up,
                    speed_down=limits.speed_down,
                )
            )

    def _on_rc_override(self, message: Message) -> None:
        if self._from_gcs(message):
            self._parts.gcs_failsafe.heard(self._now_ns * 1e-9)
            values = tuple(getattr(message, f"chan{i}_raw") for i in range(1, 9))
            self._vehicle.sticks.override(values, self._now_ns * 1e-9)

    def _on_manual_control(self, message: Message) -> None:
        if self._from_gcs(message) and message.target == self._outbox.sysid:
            self._parts.gcs_failsafe.heard(self._now_ns * 1e-9)
            axes = (message.x, message.y, message.z, message.r)
            self._vehicle.sticks.manual(axes, self._now_ns * 1e-9)

    def _guided_item(self, message: Message) -> None:
        """Go to a mission item sent with `current` 2, or change altitude with 3."""
        vehicle, ground = self._vehicle, self._vehicle.ground
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
        self._outbox.send(
            dialect.MAVLink_mission_ack_message(
                message.get_srcSystem(), message.get_srcComponent(), result, 0
            )
        )
