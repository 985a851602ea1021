"""What a drone has said and its link, together, as the situation that the status word judges."""

from typing import Any, Final

from groundstation.screen.link import LinkView
from groundstation.screen.sensors import ekf_faults, prearm_good, unhealthy
from groundstation.screen.situation import Situation
from groundstation.screen.vehicle import VehicleScreen
from groundstation.station import Station, StationStatus
from wire.mavlink import dialect

_SYSTEM: Final = dialect.MAVLINK_MSG_ID_SYS_STATUS
_HEARTBEAT: Final = dialect.MAVLINK_MSG_ID_HEARTBEAT
_EKF: Final = dialect.MAVLINK_MSG_ID_EKF_STATUS_REPORT
_GNSS: Final = dialect.MAVLINK_MSG_ID_GPS_RAW_INT
_FENCE: Final = dialect.MAVLINK_MSG_ID_FENCE_STATUS
_AIRBORNE: Final = frozenset(
    (dialect.MAV_STATE_ACTIVE, dialect.MAV_STATE_CRITICAL, dialect.MAV_STATE_EMERGENCY)
)
_ARMED: Final = 0x80


def assess(
    screen: VehicleScreen,
    view: LinkView,
    status: StationStatus,
    station: Station,
    clash: str,
    now_ns: int,
) -> Situation:
    """Return the situation of one drone; what is too old to be relied on is unknown.

    Args:
        screen: What the drone has said.
        view: Its link, as `status` made it.
        status: The status of `station` when it was last looked at.
        station: Its end of the link.
        clash: What is wrong with the drone's system id, "" if nothing.
        now_ns: The time.
    """

    def fresh(number: int, name: str) -> Any:  # noqa: ANN401 - a number or None
        return screen.fresh(number, name, now_ns)

    base_mode = fresh(_HEARTBEAT, "base_mode")
    armed = None if base_mode is None else bool(base_mode & _ARMED)
    system_status = fresh(_HEARTBEAT, "system_status")
    if screen.other_sysid is not None:
        clash = f"Two autopilots on one line: system ids {screen.sysid}, {screen.other_sysid}"
    present = fresh(_SYSTEM, "onboard_control_sensors_present")
    enabled = fresh(_SYSTEM, "onboard_control_sensors_enabled") or 0
    health = fresh(_SYSTEM, "onboard_control_sensors_health") or 0
    ekf = screen.values(_EKF) if fresh(_EKF, "flags") is not None else None
    unlinked = view.state if view.state != "live" else "lost"
    return Situation(
        link="live" if station.is_live(now_ns) else unlinked,
        heard_s=status.heard_s,
        picture_s=view.picture_s,
        attack=view.attack,
        noise=view.noise,
        loss_down=view.loss_down,
        navigation_suspect=bool(status.authority["navigation_suspect"]),
        is_holder=station.is_holder,
        holder_lost=bool(status.authority["holder_lost"]),
        sysid_clash=clash,
        heartbeat_s=screen.age_s(_HEARTBEAT, now_ns),
        armed=armed,
        flying=bool(armed) and system_status in _AIRBORNE,
        mode=fresh(_HEARTBEAT, "custom_mode"),
        system_status=system_status,
        prearm_good=None if present is None else prearm_good(present, health),
        unhealthy=() if present is None else unhealthy(present, enabled, health),
        battery_percent=fresh(_SYSTEM, "battery_remaining"),
        fix_type=fresh(_GNSS, "fix_type"),
        ekf_faults=() if ekf is None else ekf_faults(int(ekf[0] or 0), ekf[1:]),
        fence_breached=bool(fresh(_FENCE, "breach_status")),
        prearm_texts=screen.prearm_texts(now_ns),
    )
