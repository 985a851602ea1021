"""Sensor and estimator readings as messages."""

import math
from typing import Final

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.airframe import GRAVITY
from sim.autopilot.scene import Message, Scene
from sim.sensors.surroundings import pressure as air_pressure

_SENSORS_PRESENT: Final = 1399979055
_SENSORS_ENABLED: Final = 1398930479
_SENSORS_HEALTHY: Final = 1467087919
_SENSORS_HEALTHY_START: Final = 1158781963
_EKF_READY: Final = 831
_EKF_NO_POSITION: Final = 167
_EKF_START: Final = 1024
_EKF_GLITCHING: Final = 1 << 15


def gps_raw(scene: Scene) -> Message:
    """Return GPS_RAW_INT: no fix during start-up, then a good one."""
    vehicle = scene.vehicle
    if not vehicle.readiness.phase(vehicle.now_s).gps_fix:
        return dialect.MAVLink_gps_raw_int_message(
            0, 0, 0, 0, 0, 9999, 9999, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0
        )
    fix = scene.sensed.readings.fix
    place, v = vehicle.ground.place(fix.position_n), fix.velocity_n
    return dialect.MAVLink_gps_raw_int_message(
        round(fix.time_s * 1e3) * 1000,  # of the fix, not of this message: so ArduPilot has it
        dialect.GPS_FIX_TYPE_RTK_FIXED if fix.locked else dialect.GPS_FIX_TYPE_NO_FIX,
        place.lat_deg_e7,
        place.lon_deg_e7,
        round(place.alt * 1e3),
        121,
        200,
        min(round(math.hypot(v[0], v[1]) * 1e2), 0xFFFE),
        round(math.degrees(math.atan2(v[1], v[0])) * 1e2) % 36000,
        fix.satellites,
        round(place.alt * 1e3),
        round(fix.accuracy * 1e3),
        round(fix.accuracy * 1e3),
        round(fix.speed_accuracy * 1e3),
        0,
        0,
    )


def sys_status(scene: Scene) -> Message:
    """Return SYS_STATUS, whose pre-arm bit tells whether arming would succeed."""
    vehicle, sensed = scene.vehicle, scene.sensed
    healthy = _SENSORS_HEALTHY if vehicle.position_ok else _SENSORS_HEALTHY_START
    if vehicle.arming_reasons():
        healthy &= ~dialect.MAV_SYS_STATUS_PREARM_CHECK
    enabled, fence = _SENSORS_ENABLED, vehicle.fence
    if fence.enabled:
        enabled |= dialect.MAV_SYS_STATUS_GEOFENCE
    if not vehicle.flight.armed and vehicle.parameters["LOG_DISARMED"] == 0.0:
        enabled &= ~dialect.MAV_SYS_STATUS_LOGGING
    if fence.breached:
        healthy &= ~dialect.MAV_SYS_STATUS_GEOFENCE
    return dialect.MAVLink_sys_status_message(
        _SENSORS_PRESENT,
        enabled,
        healthy,
        0,
        round(sensed.volts * 1e3),
        min(round(sensed.current * 1e2), 0x7FFF),
        round(100.0 * sensed.remaining),
        *[0] * 6,
    )


def battery(scene: Scene) -> Message:
    """Return BATTERY_STATUS."""
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


def power(_scene: Scene) -> Message:
    """Return POWER_STATUS."""
    return dialect.MAVLink_power_status_message(5000, 0, 0)


def _imu_fields(scene: Scene) -> list[int]:
    readings = scene.sensed.readings
    fields = [round(f / GRAVITY * 1e3) for f in readings.force_b]
    fields += [round(w * 1e3) for w in readings.rate_b]
    fields += [round(m) for m in readings.field_b]
    return [max(-32768, min(32767, f)) for f in fields]


def raw_imu(scene: Scene) -> Message:
    """Return RAW_IMU."""
    return dialect.MAVLink_raw_imu_message(scene.us, *_imu_fields(scene), 0, 3013)


def scaled_imu2(scene: Scene) -> Message:
    """Return SCALED_IMU2."""
    return dialect.MAVLink_scaled_imu2_message(scene.ms, *_imu_fields(scene), 3013)


def scaled_imu3(scene: Scene) -> Message:
    """Return SCALED_IMU3, of which only the compass exists."""
    return dialect.MAVLink_scaled_imu3_message(scene.ms, *[0] * 6, *_imu_fields(scene)[6:], 0)


def _hectopascal(scene: Scene) -> float:
    altitude = scene.vehicle.ground.start.alt + scene.sensed.readings.baro_height
    return air_pressure(altitude)


def pressure(scene: Scene) -> Message:
    """Return SCALED_PRESSURE."""
    return dialect.MAVLink_scaled_pressure_message(scene.ms, _hectopascal(scene), 0.0, 3427)


def pressure2(scene: Scene) -> Message:
    """Return SCALED_PRESSURE2."""
    return dialect.MAVLink_scaled_pressure2_message(scene.ms, _hectopascal(scene), 0.0, 3427)


def ekf(scene: Scene) -> Message:
    """Return EKF_STATUS_REPORT, whose variances are square roots of test ratios."""
    phase, estimator = scene.vehicle.readiness.phase(scene.vehicle.now_s), scene.vehicle.estimator
    flags = _EKF_START
    if phase.tilt_aligned:
        flags = _EKF_READY if scene.vehicle.position_ok else _EKF_NO_POSITION
    if estimator.glitching:
        flags |= _EKF_GLITCHING
    n = np.abs(scene.noise.normal(0.0, 1.0, 4)).tolist()
    used = 1.0 if phase.tilt_aligned else 0.0
    return dialect.MAVLink_ekf_status_report_message(
        flags,
        used * max(0.008 + 0.004 * n[0], estimator.velocity_ratio),
        used * max(0.004 + 0.003 * n[1], estimator.position_ratio),
        used * max(0.003 + 0.002 * n[2], estimator.height_ratio),
        used * (0.003 + 0.002 * n[3]),
        0.0,
        0.0,
    )


def vibration(scene: Scene) -> Message:
    """Return VIBRATION."""
    readings = scene.sensed.readings
    n = np.abs(scene.noise.normal(0.0, 0.002, 3)).tolist()
    levels = [readings.shaking + e for e in n]
    return dialect.MAVLink_vibration_message(scene.us, *levels, readings.clipped, 0, 0)


def _has_rangefinder(scene: Scene) -> bool:
    return scene.vehicle.parameters["RNGFND1_TYPE"] > 0.0


def rangefinder(scene: Scene) -> Message | None:
    """Return RANGEFINDER if there is one."""
    if not _has_rangefinder(scene):
        return None
    return dialect.MAVLink_rangefinder_message(scene.sensed.readings.distance or 0.0, 0.0)


def distance_sensor(scene: Scene) -> Message | None:
    """Return DISTANCE_SENSOR if there is a rangefinder."""
    if not _has_rangefinder(scene):
        return None
    distance = scene.sensed.readings.distance or 0.0
    return dialect.MAVLink_distance_sensor_message(
        scene.ms, 20, 4000, round(distance * 1e2), dialect.MAV_DISTANCE_SENSOR_LASER, 0,
        dialect.MAV_SENSOR_ROTATION_PITCH_270, 0,
    )  # fmt: skip


def wind(scene: Scene) -> Message:
    """Return WIND, with the direction the wind comes from."""
    north, east, down = scene.wind_n
    return dialect.MAVLink_wind_message(
        math.degrees(math.atan2(-east, -north)), math.hypot(north, east), down
    )
