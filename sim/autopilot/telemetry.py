"""What the autopilot reports: one function per message, from the state of this moment."""

import math
from collections.abc import Callable
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.airframe import GRAVITY
from sim.autopilot import beacon, readings
from sim.autopilot.flight import Task
from sim.autopilot.modes import Mode
from sim.autopilot.scene import Message, Scene
from sim.control.vector import rotate_inverse, to_euler

_CAPABILITIES: Final = 64495
_VERSION: Final = 67567616  # 4.7.0-dev
_GIT_HASH: Final = b"c4830cdd"
_UID2: Final = b"6d1219c7c4c5404aa\0"


def _attitude(scene: Scene) -> Message:
    motion = scene.sensed.motion
    return dialect.MAVLink_attitude_message(scene.ms, *to_euler(motion.q_nb), *motion.rate_b)


def _attitude_quaternion(scene: Scene) -> Message:
    motion = scene.sensed.motion
    return dialect.MAVLink_attitude_quaternion_message(
        scene.ms, *motion.q_nb, *motion.rate_b, [0.0, 0.0, 0.0, 0.0]
    )


def _global_position(scene: Scene) -> Message:
    motion, ground = scene.sensed.motion, scene.vehicle.ground
    v = motion.velocity_n
    alt = ground.start.alt - motion.position_n[2]
    lat, lon = 0, 0
    if scene.vehicle.readiness.phase(scene.vehicle.now_s).gps_fix:
        place = ground.place(motion.position_n)
        lat, lon = place.lat_deg_e7, place.lon_deg_e7
    return dialect.MAVLink_global_position_int_message(
        scene.ms,
        lat,
        lon,
        round(alt * 1e3),
        round((alt - ground.home_alt) * 1e3),
        round(v[0] * 1e2),
        round(v[1] * 1e2),
        round(v[2] * 1e2),
        round(_heading_deg(scene) * 1e2) % 36000,
    )


def _local_position(scene: Scene) -> Message | None:
    if scene.vehicle.ground.origin is None:
        return None
    motion = scene.sensed.motion
    return dialect.MAVLink_local_position_ned_message(
        scene.ms, *motion.position_n, *motion.velocity_n
    )


def _vfr_hud(scene: Scene) -> Message:
    motion, vehicle = scene.sensed.motion, scene.vehicle
    v = motion.velocity_n
    air = math.dist(v, scene.wind_n)
    return dialect.MAVLink_vfr_hud_message(
        air,
        math.hypot(v[0], v[1]),
        int(_heading_deg(scene)),
        round(100.0 * vehicle.flight.collective),
        vehicle.ground.start.alt - motion.position_n[2],
        -v[2],
    )


def _memory(_scene: Scene) -> Message:
    return dialect.MAVLink_meminfo_message(0, 65535, 524288)


def mission_current(scene: Scene, seq: int | None = None) -> Message:
    """Return MISSION_CURRENT, naming `seq` if a client just asked for it."""
    mission = scene.vehicle.mission
    state = int(mission.state)
    if scene.vehicle.mode is Mode.AUTO and scene.vehicle.auto.paused:
        state = dialect.MISSION_STATE_PAUSED
    return dialect.MAVLink_mission_current_message(
        mission.current if seq is None else seq,
        max(len(mission.items) - 1, 0),
        state,
        1 if scene.vehicle.mode is Mode.AUTO else 0,
    )


def _nav_controller(scene: Scene) -> Message:
    vehicle, motion = scene.vehicle, scene.sensed.motion
    roll, pitch, yaw = map(math.degrees, to_euler(vehicle.flight.attitude_sp))
    target = vehicle.flight.target
    bearing = 0.0
    if target.position_n is not None:
        north = target.position_n[0] - motion.position_n[0]
        east = target.position_n[1] - motion.position_n[1]
        bearing = math.degrees(math.atan2(east, north))
    error = 0.0 if target.down is None else motion.position_n[2] - target.down
    return dialect.MAVLink_nav_controller_output_message(
        roll,
        pitch,
        round(yaw),
        round(bearing),
        min(round(vehicle.flight.distance_to_target(motion)), 0xFFFF),
        error,
        0.0,
        0.0,
    )


def _position_target(scene: Scene) -> Message | None:
    vehicle = scene.vehicle
    target = vehicle.flight.target
    guided = vehicle.mode in (Mode.GUIDED, Mode.AUTO, Mode.RTL)
    if not guided or target.position_n is None or target.down is None:
        return None
    place = vehicle.ground.place((*target.position_n, target.down))
    return dialect.MAVLink_position_target_global_int_message(
        scene.ms, 0, 65016, place.lat_deg_e7, place.lon_deg_e7, place.alt, *[0.0] * 8
    )


def _servos(scene: Scene) -> Message:
    pulses = [round(1000.0 + 1000.0 * u) for u in scene.sensed.throttles]
    return dialect.MAVLink_servo_output_raw_message(
        scene.us & 0xFFFFFFFF, 0, *pulses, *[0] * (16 - len(pulses))
    )


def _rc(scene: Scene) -> Message:
    channels = scene.vehicle.sticks.channels(scene.vehicle.now_s)
    return dialect.MAVLink_rc_channels_message(scene.ms, 8, *channels, *[0] * 10, 255)


def _system_time(scene: Scene) -> Message:
    fix = scene.vehicle.readiness.phase(scene.vehicle.now_s).gps_fix
    late_us = round(scene.sensed.readings.fix.late_s * 1e6)
    return dialect.MAVLink_system_time_message(scene.utc_us - late_us if fix else 0, scene.ms)


def _ahrs(_scene: Scene) -> Message:
    return dialect.MAVLink_ahrs_message(0.0, 0.0, 0.0, 0.0, 0.0, 0.003, 0.001)


def _ahrs2(scene: Scene) -> Message:
    motion, ground = scene.sensed.motion, scene.vehicle.ground
    place = ground.place(motion.position_n)
    return dialect.MAVLink_ahrs2_message(
        *to_euler(motion.q_nb), place.alt, place.lat_deg_e7, place.lon_deg_e7
    )


def _simstate(scene: Scene) -> Message:
    motion = scene.sensed.truth
    ax, ay, az = scene.sensed.acceleration_n
    force = rotate_inverse(motion.q_nb, (ax, ay, az - GRAVITY))
    place = scene.vehicle.ground.place(motion.position_n)
    return dialect.MAVLink_simstate_message(
        *to_euler(motion.q_nb), *force, *motion.rate_b, place.lat_deg_e7, place.lon_deg_e7
    )


def _sim_state(scene: Scene) -> Message:
    motion = scene.sensed.truth
    ax, ay, az = scene.sensed.acceleration_n
    force = rotate_inverse(motion.q_nb, (ax, ay, az - GRAVITY))
    place = scene.vehicle.ground.place(motion.position_n)
    return dialect.MAVLink_sim_state_message(
        *motion.q_nb,
        *to_euler(motion.q_nb),
        *force,
        *motion.rate_b,
        place.lat_deg_e7,  # of old these were degrees; ArduPilot sends them so
        place.lon_deg_e7,
        place.alt,
        0.0,
        0.0,
        *motion.velocity_n,
        place.lat_deg_e7,
        place.lon_deg_e7,
    )


def _extended_state(scene: Scene) -> Message:
    flight = scene.vehicle.flight
    landed = dialect.MAV_LANDED_STATE_IN_AIR
    if flight.landed:
        landed = dialect.MAV_LANDED_STATE_ON_GROUND
    elif flight.task is Task.TAKEOFF:
        landed = dialect.MAV_LANDED_STATE_TAKEOFF
    elif scene.vehicle.landing:
        landed = dialect.MAV_LANDED_STATE_LANDING
    return dialect.MAVLink_extended_sys_state_message(dialect.MAV_VTOL_STATE_MC, landed)


def autopilot_version(_scene: Scene) -> Message:
    """Return AUTOPILOT_VERSION, as the ArduCopter that is imitated gives it."""
    return dialect.MAVLink_autopilot_version_message(
        _CAPABILITIES,
        _VERSION,
        0,
        0,
        0,
        list(_GIT_HASH),
        [0] * 8,
        [0] * 8,
        0,
        0,
        0,
        list(_UID2),
    )


BUILDERS: Final[dict[int, Callable[[Scene], Message | None]]] = {
    dialect.MAVLINK_MSG_ID_HEARTBEAT: lambda scene: scene.vehicle.heartbeat(),
    dialect.MAVLINK_MSG_ID_SYS_STATUS: readings.sys_status,
    dialect.MAVLINK_MSG_ID_SYSTEM_TIME: _system_time,
    dialect.MAVLINK_MSG_ID_GPS_RAW_INT: readings.gps_raw,
    dialect.MAVLINK_MSG_ID_RAW_IMU: readings.raw_imu,
    dialect.MAVLINK_MSG_ID_SCALED_PRESSURE: readings.pressure,
    dialect.MAVLINK_MSG_ID_ATTITUDE: _attitude,
    dialect.MAVLINK_MSG_ID_ATTITUDE_QUATERNION: _attitude_quaternion,
    dialect.MAVLINK_MSG_ID_LOCAL_POSITION_NED: _local_position,
    dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: _global_position,
    dialect.MAVLINK_MSG_ID_SERVO_OUTPUT_RAW: _servos,
    dialect.MAVLINK_MSG_ID_MISSION_CURRENT: mission_current,
    dialect.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT: _nav_controller,
    dialect.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN: lambda scene: beacon.global_origin(
        scene.vehicle.ground, scene.vehicle.now_s
    ),
    dialect.MAVLINK_MSG_ID_RC_CHANNELS: _rc,
    dialect.MAVLINK_MSG_ID_VFR_HUD: _vfr_hud,
    dialect.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT: _position_target,
    dialect.MAVLINK_MSG_ID_SCALED_IMU2: readings.scaled_imu2,
    dialect.MAVLINK_MSG_ID_POWER_STATUS: readings.power,
    dialect.MAVLINK_MSG_ID_SCALED_IMU3: readings.scaled_imu3,
    dialect.MAVLINK_MSG_ID_SCALED_PRESSURE2: readings.pressure2,
    dialect.MAVLINK_MSG_ID_BATTERY_STATUS: readings.battery,
    dialect.MAVLINK_MSG_ID_AUTOPILOT_VERSION: autopilot_version,
    dialect.MAVLINK_MSG_ID_MEMINFO: _memory,
    dialect.MAVLINK_MSG_ID_AHRS: _ahrs,
    dialect.MAVLINK_MSG_ID_SIMSTATE: _simstate,
    dialect.MAVLINK_MSG_ID_SIM_STATE: _sim_state,
    dialect.MAVLINK_MSG_ID_WIND: readings.wind,
    dialect.MAVLINK_MSG_ID_AHRS2: _ahrs2,
    dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT: readings.ekf,
    dialect.MAVLINK_MSG_ID_VIBRATION: readings.vibration,
    dialect.MAVLINK_MSG_ID_HOME_POSITION: lambda scene: beacon.home_position(
        scene.vehicle.ground, scene.vehicle.now_s
    ),
    dialect.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: _extended_state,
    # Known to ArduPilot, so asking for them succeeds, but this vehicle has nothing to report.
    dialect.MAVLINK_MSG_ID_SCALED_PRESSURE3: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_GPS2_RAW: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_FENCE_STATUS: readings.fence_status,
    dialect.MAVLINK_MSG_ID_DISTANCE_SENSOR: readings.distance_sensor,
    dialect.MAVLINK_MSG_ID_RANGEFINDER: readings.rangefinder,
    dialect.MAVLINK_MSG_ID_OPTICAL_FLOW: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_TERRAIN_REPORT: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_RPM: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_ESC_TELEMETRY_1_TO_4: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_CAMERA_INFORMATION: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_GIMBAL_MANAGER_INFORMATION: lambda _scene: None,
}


def _heading_deg(scene: Scene) -> float:
    return math.degrees(to_euler(scene.sensed.motion.q_nb)[2]) % 360.0
