"""Sensor and estimator readings, with the noise of ordinary sensors.

The noise comes from the injected generator. Positions have almost none, because the embedded
estimator is the truth: a detector is tested on recordings, not on this.
"""

import math
from typing import Final

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.airframe import GRAVITY
from sim.autopilot.scene import Message, Scene
from sim.control.vector import rotate_inverse

_SENSORS_PRESENT: Final = 1399979055
_SENSORS_ENABLED: Final = 1398930479
_SENSORS_HEALTHY: Final = 1467087919
_SENSORS_HEALTHY_START: Final = 1158781963
_EKF_READY: Final = 831
_EKF_NO_POSITION: Final = 167
_EKF_START: Final = 1024
_MAGNETIC_N: Final = (300.0, -40.0, 350.0)  # Tokyo-like field in milligauss, NED


def gps_raw(scene: Scene) -> Message:
    """Return GPS_RAW_INT: no fix during start-up, then a good one."""
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


def sys_status(scene: Scene) -> Message:
    """Return SYS_STATUS, whose pre-arm bit tells whether arming would succeed."""
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
    motion = scene.sensed.motion
    ax, ay, az = scene.sensed.acceleration_n
    force = rotate_inverse(motion.q_nb, (ax, ay, az - GRAVITY))
    field = rotate_inverse(motion.q_nb, _MAGNETIC_N)
    noise = scene.noise.normal(0.0, 1.0, 9).tolist()
    fields = [round(f / GRAVITY * 1e3 + 2.0 * e) for f, e in zip(force, noise, strict=False)]
    fields += [round(w * 1e3 + e) for w, e in zip(motion.rate_b, noise[3:], strict=False)]
    fields += [round(m + e) for m, e in zip(field, noise[6:], strict=False)]
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
    alt = scene.vehicle.ground.start.alt - scene.sensed.motion.position_n[2]
    noise = float(scene.noise.normal(0.0, 0.01))
    return 1013.25 * math.pow(1.0 - 2.25577e-5 * alt, 5.25588) + noise


def pressure(scene: Scene) -> Message:
    """Return SCALED_PRESSURE."""
    return dialect.MAVLink_scaled_pressure_message(scene.ms, _hectopascal(scene), 0.0, 3427)


def pressure2(scene: Scene) -> Message:
    """Return SCALED_PRESSURE2."""
    return dialect.MAVLink_scaled_pressure2_message(scene.ms, _hectopascal(scene), 0.0, 3427)


def ekf(scene: Scene) -> Message:
    """Return EKF_STATUS_REPORT."""
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


def vibration(scene: Scene) -> Message:
    """Return VIBRATION."""
    n = np.abs(scene.noise.normal(0.0, 0.002, 3)).tolist()
    return dialect.MAVLink_vibration_message(scene.us, *n, 0, 0, 0)


def wind(scene: Scene) -> Message:
    """Return WIND, with the direction the wind comes from."""
    north, east, down = scene.wind_n
    return dialect.MAVLink_wind_message(
        math.degrees(math.atan2(-east, -north)), math.hypot(north, east), down
    )
