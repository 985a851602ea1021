"""What the bits of SYS_STATUS and EKF_STATUS_REPORT mean for an operator."""

from collections.abc import Sequence
from typing import Final

from wire.mavlink import dialect

PREARM: Final = dialect.MAV_SYS_STATUS_PREARM_CHECK
_SENSORS: Final = (
    (dialect.MAV_SYS_STATUS_SENSOR_3D_GYRO, "gyro"),
    (dialect.MAV_SYS_STATUS_SENSOR_3D_ACCEL, "accelerometer"),
    (dialect.MAV_SYS_STATUS_SENSOR_3D_MAG, "compass"),
    (dialect.MAV_SYS_STATUS_SENSOR_ABSOLUTE_PRESSURE, "barometer"),
    (dialect.MAV_SYS_STATUS_SENSOR_GPS, "GNSS"),
    (dialect.MAV_SYS_STATUS_SENSOR_OPTICAL_FLOW, "optical flow"),
    (dialect.MAV_SYS_STATUS_SENSOR_LASER_POSITION, "range finder"),
    (dialect.MAV_SYS_STATUS_SENSOR_RC_RECEIVER, "RC receiver"),
    (dialect.MAV_SYS_STATUS_GEOFENCE, "fence"),
    (dialect.MAV_SYS_STATUS_AHRS, "AHRS"),
    (dialect.MAV_SYS_STATUS_TERRAIN, "terrain"),
    (dialect.MAV_SYS_STATUS_LOGGING, "autopilot log"),
    (dialect.MAV_SYS_STATUS_SENSOR_BATTERY, "battery"),
    (dialect.MAV_SYS_STATUS_SENSOR_PROXIMITY, "proximity"),
)
_EKF_FAULTS: Final = (
    (dialect.EKF_UNINITIALIZED, "not initialised"),
    (dialect.EKF_CONST_POS_MODE, "position held constant"),
    (getattr(dialect, "EKF_GPS_GLITCHING", 0), "GNSS glitch"),
)
_EKF_ATTITUDE: Final = dialect.EKF_ATTITUDE
_VARIANCES: Final = ("velocity", "horizontal position", "height", "compass")
_VARIANCE_LIMIT: Final = 0.8  # FS_EKF_THRESH, at which ArduCopter acts


def unhealthy(present: int, enabled: int, health: int) -> list[str]:
    """Return the names of what is fitted and switched on and not healthy."""
    wanted = present & enabled & ~health
    return [name for bit, name in _SENSORS if wanted & bit]


def prearm_good(present: int, health: int) -> bool | None:
    """Tell whether the pre-arm checks pass; None if the autopilot does not say."""
    return bool(health & PREARM) if present & PREARM else None


def ekf_faults(flags: int, variances: Sequence[float | None]) -> list[str]:
    """Return what is wrong with the estimate: flags, and variances at which ArduCopter acts."""
    faults = [name for bit, name in _EKF_FAULTS if flags & bit]
    if not flags & _EKF_ATTITUDE:
        faults.append("no attitude")
    pairs = zip(_VARIANCES, variances, strict=True)
    faults += [name for name, value in pairs if value is not None and value >= _VARIANCE_LIMIT]
    return faults
