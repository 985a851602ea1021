"""One row per command, each giving a MAV_RESULT; what has no row is UNSUPPORTED."""

import math
from collections.abc import Callable
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot import beacon, peripherals, telemetry
from sim.autopilot.auto import change_speed, condition_yaw
from sim.autopilot.command import Command, as_int32, command_of
from sim.autopilot.fence import EVERY_BOUND, Bound
from sim.autopilot.flight import Yaw, YawAim
from sim.autopilot.guided import Setpoint, down_of, valid_lat_lon
from sim.autopilot.items import Item
from sim.autopilot.modes import Mode
from sim.autopilot.outbox import Outbox, Severity
from sim.autopilot.scene import Scene
from sim.autopilot.streams import Streams
from sim.autopilot.telemetry import BUILDERS
from sim.autopilot.vehicle import Vehicle
from sim.control.reference import Target
from sim.geodesy import Place

_FORCE: Final = 21196.0
_FORCE_ARM: Final = 2989.0
_ACCEPTED: Final = int(dialect.MAV_RESULT_ACCEPTED)
_REJECTED_NOW: Final = int(dialect.MAV_RESULT_TEMPORARILY_REJECTED)
_DENIED: Final = int(dialect.MAV_RESULT_DENIED)
_UNSUPPORTED: Final = int(dialect.MAV_RESULT_UNSUPPORTED)
_FAILED: Final = int(dialect.MAV_RESULT_FAILED)

_FLOOR_OFF: Final = 2
_FRAME_CLASSES: Final = {1: "QUAD", 2: "HEXA", 3: "OCTA"}
_ALTITUDE_MAX: Final = 83_000.0
_GYRO_CALIBRATION_S: Final = 0.5
_GYRO_PARAMETERS: Final = (
    *("INS_GYROFFS_X", "INS_GYROFFS_Y", "INS_GYROFFS_Z", "INS_GYR_ID", "INS_GYR1_CALTEMP"),
    *("INS_GYR2OFFS_X", "INS_GYR2OFFS_Y", "INS_GYR2OFFS_Z", "INS_GYR2_ID", "INS_GYR2_CALTEMP"),
    *("INS_GYR3OFFS_X", "INS_GYR3OFFS_Y", "INS_GYR3OFFS_Z", "INS_GYR3_ID"),
)


class Commands:
    """Executes commands on the vehicle. Owned by the autopilot."""

    def __init__(self, vehicle: Vehicle, streams: Streams, outbox: Outbox) -> None:
        self._vehicle = vehicle
        self._streams = streams
        self._outbox = outbox
        self._scene: Scene | None = None
        self._calibration: tuple[float, tuple[int, int]] | None = None
        self.reboot_wanted = False
        self._table: dict[int, Callable[[Command], int | None]] = {
            dialect.MAV_CMD_COMPONENT_ARM_DISARM: self._arm_disarm,
            dialect.MAV_CMD_RUN_PREARM_CHECKS: self._prearm,
            dialect.MAV_CMD_DO_SET_MODE: self._set_mode,
            dialect.MAV_CMD_NAV_TAKEOFF: self._takeoff,
            dialect.MAV_CMD_NAV_VTOL_TAKEOFF: self._takeoff,
            dialect.MAV_CMD_NAV_LAND: lambda _: self._mode(Mode.LAND),
            dialect.MAV_CMD_NAV_VTOL_LAND: lambda _: self._mode(Mode.LAND),
            dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH: lambda _: self._mode(Mode.RTL),
            dialect.MAV_CMD_NAV_LOITER_UNLIM: lambda _: self._mode(Mode.LOITER),
            dialect.MAV_CMD_MISSION_START: self._mission_start,
            dialect.MAV_CMD_DO_PAUSE_CONTINUE: self._pause_continue,
            dialect.MAV_CMD_DO_SET_MISSION_CURRENT: self._set_mission_current,
            dialect.MAV_CMD_DO_REPOSITION: self._reposition,
            dialect.MAV_CMD_DO_CHANGE_SPEED: self._change_speed,
            dialect.MAV_CMD_CONDITION_YAW: self._condition_yaw,
            dialect.MAV_CMD_DO_SET_ROI: self._set_roi,
            dialect.MAV_CMD_DO_SET_ROI_LOCATION: self._set_roi,
            dialect.MAV_CMD_DO_SET_ROI_NONE: self._clear_roi,
            dialect.MAV_CMD_DO_SET_HOME: self._set_home,
            dialect.MAV_CMD_GET_HOME_POSITION: self._get_home,
            dialect.MAV_CMD_DO_FENCE_ENABLE: self._fence_enable,
            dialect.MAV_CMD_DO_FLIGHTTERMINATION: self._terminate,
            dialect.MAV_CMD_PREFLIGHT_CALIBRATION: self._calibrate,
            dialect.MAV_CMD_PREFLIGHT_STORAGE: lambda _: _DENIED,
            dialect.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN: self._reboot,
            dialect.MAV_CMD_REQUEST_MESSAGE: self._request_message,
            dialect.MAV_CMD_SET_MESSAGE_INTERVAL: self._set_interval,
            dialect.MAV_CMD_GET_MESSAGE_INTERVAL: self._get_interval,
            dialect.MAV_CMD_REQUEST_AUTOPILOT_CAPABILITIES: self._capabilities,
            dialect.MAV_CMD_DO_SEND_BANNER: self._banner,
        }

    def receive(self, message: dialect.MAVLink_message, scene: Scene) -> None:
        """Execute a command and acknowledge it."""
        self._scene = scene
        command = command_of(message)
        sender = (message.get_srcSystem(), message.get_srcComponent())
        result: int | None = _UNSUPPORTED
        if command is not None:
            row = self._table.get(command.command)
            result = self._not_carried(command) if row is None else row(command)
        if result is not None:
            self._acknowledge(message.command, result, sender)

    def _not_carried(self, command: Command) -> int:
        result = peripherals.answer(command, len(self._vehicle.sensed.throttles), self._outbox)
        return _UNSUPPORTED if result is None else result

    def step(self, now_s: float) -> None:
        """Finish a calibration that has run its time."""
        if self._calibration is not None and now_s >= self._calibration[0]:
            sender = self._calibration[1]
            self._calibration = None
            self._acknowledge(dialect.MAV_CMD_PREFLIGHT_CALIBRATION, _ACCEPTED, sender)
            for name in _GYRO_PARAMETERS:
                self._outbox.send_later(self._vehicle.parameters.message(name))

    def _acknowledge(self, command: int, result: int, sender: tuple[int, int]) -> None:
        self._outbox.send(dialect.MAVLink_command_ack_message(command, result, 0, 0, *sender))

    def _arm_disarm(self, command: Command) -> int:
        vehicle = self._vehicle
        if command.param1 == 1.0:
            if vehicle.flight.armed:
                return _ACCEPTED
            force = command.param2 in (_FORCE, _FORCE_ARM)
            return _ACCEPTED if vehicle.arm(force=force) else _FAILED
        if command.param1 == 0.0:
            if not vehicle.flight.armed:
                return _ACCEPTED
            return _ACCEPTED if vehicle.disarm(force=command.param2 == _FORCE) else _FAILED
        return _UNSUPPORTED

    def _prearm(self, _command: Command) -> int:
        if self._vehicle.flight.armed:
            return _REJECTED_NOW
        for reason in self._vehicle.arming_reasons():
            self._outbox.text(Severity.CRITICAL, f"PreArm: {reason}")
        return _ACCEPTED

    def _set_mode(self, command: Command) -> int:
        if not as_int32(command.param1) & dialect.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED:
            return _DENIED
        number = as_int32(command.param2) & 0xFF
        return _ACCEPTED if self._vehicle.set_mode_number(number) else _FAILED

    def _mode(self, mode: Mode) -> int:
        return _ACCEPTED if self._vehicle.set_mode(mode) else _FAILED

    def _takeoff(self, command: Command) -> int:
        if command.frame != dialect.MAV_FRAME_GLOBAL_RELATIVE_ALT:
            return _DENIED
        return _ACCEPTED if self._vehicle.takeoff(command.z) else _FAILED

    def _mission_start(self, command: Command) -> int:
        if command.param1 != 0.0 or command.param2 != 0.0:
            return _DENIED
        if not self._vehicle.set_mode(Mode.AUTO):
            return _FAILED
        self._vehicle.auto.go = True
        return _ACCEPTED

    def _pause_continue(self, command: Command) -> int:
        choice = as_int32(command.param1) & 0xFF
        if choice not in (0, 1):
            return _DENIED
        vehicle = self._vehicle
        match vehicle.mode:
            case Mode.AUTO:
                done = vehicle.auto.pause() if choice == 0 else vehicle.auto.resume()
            case Mode.GUIDED:
                done = True
                if choice == 0:
                    vehicle.guidance.pause()
                else:
                    vehicle.guidance.resume()
            case _:
                done = False
        if done:
            return _ACCEPTED
        self._outbox.text(Severity.INFO, "Failed to pause" if choice == 0 else "Failed to resume")
        return _FAILED

    def _set_mission_current(self, command: Command) -> int:
        seq = as_int32(command.param1)
        vehicle = self._vehicle
        if not 0 <= seq < len(vehicle.mission.items):
            return _DENIED
        if command.param2 == 1.0:
            vehicle.mission.reset()
        # Item 0 is home, which is not flown to.
        vehicle.auto.set_current(min(max(seq, 1), len(vehicle.mission.items) - 1), vehicle.sensed)
        assert self._scene is not None
        self._outbox.send_later(telemetry.mission_current(self._scene))
        return _ACCEPTED

    def _reposition(self, command: Command) -> int:
        vehicle = self._vehicle
        changes_mode = bool(as_int32(command.param2) & 1)
        if vehicle.mode is not Mode.GUIDED and not changes_mode:
            return _DENIED
        place = self._place(command)
        origin = vehicle.ground.origin
        if place is None or (command.x == 0 and command.y == 0):
            return _DENIED
        if origin is None or not vehicle.set_mode(Mode.GUIDED):
            return _FAILED
        north, east = origin.north_east(place.lat_deg_e7, place.lon_deg_e7)
        target = Target((north, east), origin.alt - place.alt)
        taken = vehicle.guide(Setpoint(target, Yaw(YawAim.AHEAD), expires=False))
        return _ACCEPTED if taken else _FAILED

    def _change_speed(self, command: Command) -> int:
        if not command.param2 > 0.0:
            return _DENIED
        if self._vehicle.mode not in (Mode.GUIDED, Mode.AUTO, Mode.RTL):
            return _FAILED
        kind = as_int32(command.param1)
        return _ACCEPTED if change_speed(self._vehicle.flight, kind, command.param2) else _FAILED

    def _condition_yaw(self, command: Command) -> int:
        if not 0.0 <= command.param1 <= 360.0 or command.param4 not in (0.0, 1.0):
            return _FAILED
        speed = command.param2 if math.isfinite(command.param2) else 0.0
        direction = float(as_int32(command.param3))
        item = Item(0, 0, command.param1, speed, direction, command.param4, 0, 0, 0.0)
        flight = self._vehicle.flight
        flight.yaw = condition_yaw(item, flight.heading_sp)
        return _ACCEPTED

    def _set_roi(self, command: Command) -> int:
        if not valid_lat_lon(command.x, command.y):
            return _FAILED
        if command.x == 0 and command.y == 0:
            return self._clear_roi(command)
        place = self._vehicle.ground.start.north_east(command.x, command.y)
        self._vehicle.flight.yaw = Yaw(YawAim.PLACE, place_n=place)
        return _ACCEPTED

    def _clear_roi(self, _command: Command) -> int:
        self._vehicle.flight.yaw = Yaw(YawAim.AHEAD)
        return _ACCEPTED

    def _set_home(self, command: Command) -> int:
        vehicle = self._vehicle
        if vehicle.ground.origin is None:
            return _FAILED
        if command.param1 == 1.0 or (command.x == 0 and command.y == 0):
            vehicle.set_home(vehicle.ground.place(vehicle.sensed.motion.position_n), lock=True)
            return _ACCEPTED
        if command.param1 != 0.0:
            return _FAILED
        place = self._place(command)
        if place is None:
            return _FAILED
        vehicle.set_home(place, lock=True)
        return _ACCEPTED

    def _get_home(self, _command: Command) -> int:
        if self._vehicle.ground.home is None:
            return _FAILED
        for message in beacon.home_and_origin(self._vehicle.ground, self._vehicle.now_s):
            self._outbox.send(message)
        return _ACCEPTED

    def _fence_enable(self, command: Command) -> int:
        choice = as_int32(command.param1)
        if choice not in (0, 1, 2):
            return _FAILED
        kinds = Bound.MIN_ALT if choice == _FLOOR_OFF else EVERY_BOUND
        self._vehicle.fence.enable(kinds, on=choice == 1)
        return _ACCEPTED

    def _terminate(self, command: Command) -> int:
        if not command.param1 > 0.5:
            return _FAILED
        self._vehicle.terminate()
        return _ACCEPTED

    def _calibrate(self, command: Command) -> int | None:
        if self._vehicle.flight.armed:
            self._outbox.text(Severity.NOTICE, "Disarm to allow calibration")
            return _FAILED
        if command.param1 == 1.0:
            if self._calibration is not None:
                return _REJECTED_NOW
            self._outbox.text(Severity.INFO, "Initialising ArduPilot")
            self._calibration = (self._vehicle.now_s + _GYRO_CALIBRATION_S, command.sender)
            return None  # acknowledged when it is done
        if command.param3 == 1.0:
            self._outbox.text(Severity.INFO, "Updating barometer calibration")
            self._outbox.text(Severity.INFO, "Barometer calibration complete")
            return _ACCEPTED
        if command.x == 76 or command.param2 == 76.0:
            return _ACCEPTED
        return _UNSUPPORTED

    def _reboot(self, command: Command) -> int:
        if self._vehicle.flight.armed:
            return _FAILED
        if command.param1 not in (1.0, 3.0):
            return _UNSUPPORTED
        self.reboot_wanted = True
        return _ACCEPTED

    def _request_message(self, command: Command) -> int:
        message_id = as_int32(command.param1)
        if message_id == dialect.MAVLINK_MSG_ID_MESSAGE_INTERVAL:
            return self._report_interval(as_int32(command.param2))
        builder = BUILDERS.get(message_id)
        if builder is None:
            return _FAILED
        assert self._scene is not None
        message = builder(self._scene)
        if message is not None:
            self._outbox.send_later(message)
        return _ACCEPTED

    def _set_interval(self, command: Command) -> int:
        message_id = as_int32(command.param1)
        if command.param3 != 0.0:
            return _DENIED
        result = self._streams.set_interval(message_id, as_int32(command.param2))
        if result == -1:
            self._outbox.text(Severity.INFO, f"No ap_message for mavlink id ({message_id})")
            return _DENIED
        if result == _REJECTED_NOW:
            self._outbox.text(
                Severity.INFO,
                f"Requested rate for message ID {message_id} too fast. Increase SCHED_LOOP_RATE",
            )
            return _DENIED
        return result

    def _get_interval(self, command: Command) -> int:
        return self._report_interval(as_int32(command.param1))

    def _report_interval(self, message_id: int) -> int:
        interval = self._streams.interval_us(message_id)
        known = 0 <= message_id <= 0xFFFF
        self._outbox.send(
            dialect.MAVLink_message_interval_message(message_id & 0xFFFF, interval if known else 0)
        )
        return _ACCEPTED if known and interval != 0 else _FAILED

    def _capabilities(self, command: Command) -> int:
        if command.param1 != 1.0:
            return _FAILED
        assert self._scene is not None
        self._outbox.send_later(telemetry.autopilot_version(self._scene))
        return _ACCEPTED

    def _banner(self, _command: Command) -> int:
        p = self._vehicle.parameters
        kind = _FRAME_CLASSES.get(int(p["FRAME_CLASS"]), "UNKNOWN")
        arms = "PLUS" if p["FRAME_TYPE"] == 0.0 else "X"
        for text in ("ArduCopter V4.7.0-dev (sekisho embedded)", f"Frame: {kind}/{arms}"):
            self._outbox.text(Severity.INFO, text)
        return _ACCEPTED

    def _place(self, command: Command) -> Place | None:
        """Return the place of a command, None if it is not one."""
        if not valid_lat_lon(command.x, command.y):
            return None
        if not math.isfinite(command.z) or abs(command.z) > _ALTITUDE_MAX:
            return None
        ground = self._vehicle.ground
        down = down_of(command.z, command.frame, ground.start, ground.home_alt)
        if down is None:
            text = f"Unknown mavlink coordinate frame {command.frame}"
            self._outbox.text(Severity.INFO, text)
            return None
        return Place(command.x, command.y, ground.start.alt - down)
