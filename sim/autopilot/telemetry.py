"""What the autopilot reports: one function per message, from the state of this moment.

Readings carry the noise of ordinary sensors (from the injected generator), positions do not: the
embedded estimator is the truth. A detector is tested on recordings, not on this.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.airframe import GRAVITY
from sim.autopilot.flight import Sensed, Task
from sim.autopilot.modes import Mode
from sim.autopilot.vehicle import Vehicle
from sim.control.vector import rotate_inverse, to_euler
from wire.mavlink import dialect

Message = dialect.MAVLink_message

_CAPABILITIES: Final = 64495
_VERSION: Final = 67567616  # 4.7.0-dev
_GIT_HASH: Final = b"c4830cdd"
_UID2: Final = b"6d1219c7c4c5404aa\0"
_SENSORS_PRESENT: Final = 1399979055
_SENSORS_ENABLED: Final = 1398930479
_SENSORS_HEALTHY: Final = 1467087919
_SENSORS_HEALTHY_START: Final = 1158781963
_EKF_READY: Final = 831
_EKF_NO_POSITION: Final = 167
_EKF_START: Final = 1024
_MAGNETIC_N: Final = (300.0, -40.0, 350.0)  # Tokyo-like field in milligauss, NED


@dataclass(frozen=True, slots=True)
class Scene:
    """What a message is built from.

    Attributes:
        vehicle: The vehicle, with its last sensor values.
        now_ns: Vehicle time since power-up.
        utc_us: Wall time that GPS would give, microseconds since 1970.
        noise: Generator for sensor noise.
        wind_n: True wind, NED. [m/s]
    """

    vehicle: Vehicle
    now_ns: int
    utc_us: int
    noise: np.random.Generator
    wind_n: tuple[float, float, float]

    @property
    def sensed(self) -> Sensed:
        """Return the last sensor values."""
        return self.vehicle.sensed

    @property
    def ms(self) -> int:
        """Return time_boot_ms."""
        return (self.now_ns // 1_000_000) & 0xFFFFFFFF

    @property
    def us(self) -> int:
        """Return microseconds since power-up."""
        return self.now_ns // 1000


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


def _gps_raw(scene: Scene) -> Message:
    vehicle, motion = scene.vehicle, scene.sensed.motion
    if not vehicle.readiness.phase(vehicle.now_s).gps_fix:
        return dialect.MAVLink_gps_raw_int_message(
            0, 0, 0, 0, 0, 9999, 9999, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0
        )
    p, v = motion.position_n, motion.velocity_n
    n = scene.noise.normal(0.0, 0.01, 3)
    place = vehicle.ground.place((p[0] + n[0], p[1] + n[1], p[2] + n[2]))
    return dialect.MAVLink_gps_raw_int_message(
        scene.us,
        dialect.GPS_FIX_TYPE_RTK_FIXED,
        place.lat_deg_e7,
        place.lon_deg_e7,
        round(place.alt * 1e3),
        121,
        200,
        min(round(math.hypot(v[0], v[1]) * 1e2), 0xFFFE),
        round(math.degrees(math.atan2(v[1], v[0])) * 1e2) % 36000,
        10,
        round(place.alt * 1e3),
        300,
        300,
        40,
        0,
        0,
    )


def _sys_status(scene: Scene) -> Message:
    vehicle, sensed = scene.vehicle, scene.sensed
    healthy = _SENSORS_HEALTHY if vehicle.position_ok else _SENSORS_HEALTHY_START
    if vehicle.arming_reasons():
        healthy &= ~dialect.MAV_SYS_STATUS_PREARM_CHECK
    return dialect.MAVLink_sys_status_message(
        _SENSORS_PRESENT,
        _SENSORS_ENABLED,
        healthy,
        0,
        round(sensed.volts * 1e3),
        min(round(sensed.current * 1e2), 0x7FFF),
        round(100.0 * sensed.remaining),
        *[0] * 6,
    )


def _battery(scene: Scene) -> Message:
    sensed = scene.sensed
    return dialect.MAVLink_battery_status_message(
        0,
        0,
        0,
        0x7FFF,
        [round(sensed.volts * 1e3), *[0xFFFF] * 9],
        min(round(sensed.current * 1e2), 0x7FFF),
        round(sensed.consumed_mah),
        round(sensed.consumed_wh * 36.0),
        round(100.0 * sensed.remaining),
        0,
        dialect.MAV_BATTERY_CHARGE_STATE_OK,
        [0, 0, 0, 0],
        0,
        0,
    )


def _power(_scene: Scene) -> Message:
    return dialect.MAVLink_power_status_message(5000, 0, 0)


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
    pulses = [round(1000.0 + 1000.0 * u) for u in scene.vehicle.flight.throttles]
    return dialect.MAVLink_servo_output_raw_message(
        scene.us & 0xFFFFFFFF, 0, *pulses, *[0] * 4, *[0] * 8
    )


def _rc(scene: Scene) -> Message:
    channels = scene.vehicle.sticks.channels(scene.vehicle.now_s)
    return dialect.MAVLink_rc_channels_message(scene.ms, 8, *channels, *[0] * 10, 255)


def _imu_fields(scene: Scene) -> list[int]:
    motion = scene.sensed.motion
    ax, ay, az = scene.sensed.acceleration_n
    force = rotate_inverse(motion.q_nb, (ax, ay, az - GRAVITY))
    field = rotate_inverse(motion.q_nb, _MAGNETIC_N)
    noise = scene.noise.normal(0.0, 1.0, 9).tolist()
    fields = [round(f / GRAVITY * 1e3 + 2.0 * e) for f, e in zip(force, noise, strict=False)]
    fields += [round(w * 1e3 + e) for w, e in zip(motion.rate_b, noise[3:], strict=False)]
    fields += [round(m + e) for m, e in zip(field, noise[6:], strict=False)]
    return [max(-32768, min(32767, f)) for f in fields]


def _raw_imu(scene: Scene) -> Message:
    return dialect.MAVLink_raw_imu_message(scene.us, *_imu_fields(scene), 0, 3013)


def _scaled_imu2(scene: Scene) -> Message:
    return dialect.MAVLink_scaled_imu2_message(scene.ms, *_imu_fields(scene), 3013)


def _scaled_imu3(scene: Scene) -> Message:
    return dialect.MAVLink_scaled_imu3_message(scene.ms, *[0] * 6, *_imu_fields(scene)[6:], 0)


def _hectopascal(scene: Scene) -> float:
    alt = scene.vehicle.ground.start.alt - scene.sensed.motion.position_n[2]
    noise = float(scene.noise.normal(0.0, 0.01))
    return 1013.25 * (1.0 - 2.25577e-5 * alt) ** 5.25588 + noise


def _pressure(scene: Scene) -> Message:
    return dialect.MAVLink_scaled_pressure_message(scene.ms, _hectopascal(scene), 0.0, 3427)


def _pressure2(scene: Scene) -> Message:
    return dialect.MAVLink_scaled_pressure2_message(scene.ms, _hectopascal(scene), 0.0, 3427)


def _system_time(scene: Scene) -> Message:
    fix = scene.vehicle.readiness.phase(scene.vehicle.now_s).gps_fix
    return dialect.MAVLink_system_time_message(scene.utc_us if fix else 0, scene.ms)


def _ahrs(_scene: Scene) -> Message:
    return dialect.MAVLink_ahrs_message(0.0, 0.0, 0.0, 0.0, 0.0, 0.003, 0.001)


def _ahrs2(scene: Scene) -> Message:
    motion, ground = scene.sensed.motion, scene.vehicle.ground
    place = ground.place(motion.position_n)
    return dialect.MAVLink_ahrs2_message(
        *to_euler(motion.q_nb), place.alt, place.lat_deg_e7, place.lon_deg_e7
    )


def _simstate(scene: Scene) -> Message:
    motion = scene.sensed.motion
    ax, ay, az = scene.sensed.acceleration_n
    force = rotate_inverse(motion.q_nb, (ax, ay, az - GRAVITY))
    place = scene.vehicle.ground.place(motion.position_n)
    return dialect.MAVLink_simstate_message(
        *to_euler(motion.q_nb), *force, *motion.rate_b, place.lat_deg_e7, place.lon_deg_e7
    )


def _ekf(scene: Scene) -> Message:
    phase = scene.vehicle.readiness.phase(scene.vehicle.now_s)
    flags = _EKF_START
    if phase.tilt_aligned:
        flags = _EKF_READY if phase.position_ok else _EKF_NO_POSITION
    n = np.abs(scene.noise.normal(0.0, 1.0, 4)).tolist()
    used = 1.0 if phase.tilt_aligned else 0.0
    return dialect.MAVLink_ekf_status_report_message(
        flags,
        used * (0.008 + 0.004 * n[0]),
        used * (0.004 + 0.003 * n[1]),
        used * (0.003 + 0.002 * n[2]),
        used * (0.003 + 0.002 * n[3]),
        0.0,
        0.0,
    )


def _vibration(scene: Scene) -> Message:
    n = np.abs(scene.noise.normal(0.0, 0.002, 3)).tolist()
    return dialect.MAVLink_vibration_message(scene.us, *n, 0, 0, 0)


def _wind(scene: Scene) -> Message:
    north, east, down = scene.wind_n
    # The direction the wind comes from.
    return dialect.MAVLink_wind_message(
        math.degrees(math.atan2(-east, -north)), math.hypot(north, east), down
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
    dialect.MAVLINK_MSG_ID_SYS_STATUS: _sys_status,
    dialect.MAVLINK_MSG_ID_SYSTEM_TIME: _system_time,
    dialect.MAVLINK_MSG_ID_GPS_RAW_INT: _gps_raw,
    dialect.MAVLINK_MSG_ID_RAW_IMU: _raw_imu,
    dialect.MAVLINK_MSG_ID_SCALED_PRESSURE: _pressure,
    dialect.MAVLINK_MSG_ID_ATTITUDE: _attitude,
    dialect.MAVLINK_MSG_ID_ATTITUDE_QUATERNION: _attitude_quaternion,
    dialect.MAVLINK_MSG_ID_LOCAL_POSITION_NED: _local_position,
    dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: _global_position,
    dialect.MAVLINK_MSG_ID_SERVO_OUTPUT_RAW: _servos,
    dialect.MAVLINK_MSG_ID_MISSION_CURRENT: mission_current,
    dialect.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT: _nav_controller,
    dialect.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN: lambda scene: scene.vehicle.origin_message(),
    dialect.MAVLINK_MSG_ID_RC_CHANNELS: _rc,
    dialect.MAVLINK_MSG_ID_VFR_HUD: _vfr_hud,
    dialect.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT: _position_target,
    dialect.MAVLINK_MSG_ID_SCALED_IMU2: _scaled_imu2,
    dialect.MAVLINK_MSG_ID_POWER_STATUS: _power,
    dialect.MAVLINK_MSG_ID_SCALED_IMU3: _scaled_imu3,
    dialect.MAVLINK_MSG_ID_SCALED_PRESSURE2: _pressure2,
    dialect.MAVLINK_MSG_ID_BATTERY_STATUS: _battery,
    dialect.MAVLINK_MSG_ID_AUTOPILOT_VERSION: autopilot_version,
    dialect.MAVLINK_MSG_ID_MEMINFO: _memory,
    dialect.MAVLINK_MSG_ID_AHRS: _ahrs,
    dialect.MAVLINK_MSG_ID_SIMSTATE: _simstate,
    dialect.MAVLINK_MSG_ID_WIND: _wind,
    dialect.MAVLINK_MSG_ID_AHRS2: _ahrs2,
    dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT: _ekf,
    dialect.MAVLINK_MSG_ID_VIBRATION: _vibration,
    dialect.MAVLINK_MSG_ID_HOME_POSITION: lambda scene: scene.vehicle.home_message(),
    dialect.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: _extended_state,
    # Known to ArduPilot, so asking for them succeeds, but this vehicle has nothing to report.
    dialect.MAVLINK_MSG_ID_SCALED_PRESSURE3: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_GPS2_RAW: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_FENCE_STATUS: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_DISTANCE_SENSOR: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_RANGEFINDER: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_OPTICAL_FLOW: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_TERRAIN_REPORT: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_RPM: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_ESC_TELEMETRY_1_TO_4: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_CAMERA_INFORMATION: lambda _scene: None,
    dialect.MAVLINK_MSG_ID_GIMBAL_MANAGER_INFORMATION: lambda _scene: None,
}


def _heading_deg(scene: Scene) -> float:
    return math.degrees(to_euler(scene.sensed.motion.q_nb)[2]) % 360.0
