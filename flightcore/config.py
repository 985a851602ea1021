"""`drone.toml`: what the companion is told. Defaults are those of the command's documentation."""

import math
import re
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import msgspec

from flightcore.offboard.worth import DEFAULT_ABILITY, Ability
from flightcore.policy import RADIO_LIMITS, WIFI_LIMITS, AgeLimits, Freshness
from flightcore.port_scan import AUTO
from flightcore.prearm import PrearmOptions, requirements
from wire.locality import NotAllowedError, check_address, parse_local
from wire.recorder import When, check_room
from wire.send_queue import check_radio
from wire.service import Service, check_service

UDP_DEVICE: Final = "udp:"
BAUDS: Final = range(1200, 12_000_001)


class Vehicle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the drone is called."""

    name: str | None = None


class RateWish(StrEnum):
    """Whether the companion asks the autopilot for the messages that it needs itself."""

    REQUEST = "request"
    LEAVE = "leave"


class AutopilotConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the autopilot is: a serial device, or for development ``udp:HOST:PORT``.

    A device or speed that is "auto" is found by listening for an autopilot's heartbeat.
    `rates` left alone are those of the autopilot's parameters and of ground software.
    `gcs_sysid` is the system id whose heartbeat it takes for the operator's presence.
    """

    device: str
    baud: int | Literal["auto"] = 921600
    rates: RateWish = RateWish.REQUEST
    gcs_sysid: int = 255


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where pair records and counters live, and what opens them if they are wrapped."""

    dir: str = "/var/lib/sekisho"
    passphrase_file: str | None = None
    key_file: str | None = None


class MaxAge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How old a frame of each class may be, in seconds; None is the built-in limit of the path."""

    control: float | None = None
    command: float | None = None
    transfer: float | None = None
    safe: float | None = None

    def limits(self, built_in: AgeLimits, lost_s: float) -> AgeLimits:
        """Return the limits in ns; that of presence is T1 (`FailsafeConfig`)."""
        chosen = {f: getattr(self, f.name.lower(), lost_s) for f in built_in}
        return {f: built_in[f] if s is None else int(s * 1e9) for f, s in chosen.items()}


class Udp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The named local address on which ground stations reach this drone.

    An address that this machine does not have is a mistake, unless it is to be waited for.
    """

    bind: str
    wait_for_address: bool = False
    max_age: MaxAge = MaxAge()


class Radio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A serial radio as second path. `rate` is what it sends in bytes/s, if less than its port."""

    device: str
    baud: int = 57600
    rate: int | None = None
    max_age: MaxAge = MaxAge()


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The paths to the ground. `pad_telemetry` hides the lengths of telemetry too."""

    udp: Udp
    radio: Radio | None = None
    pad_telemetry: bool = False


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`file` overrides the built-in policy once `accept` names the fingerprint of the difference.

    `dual_control` asks a second station to confirm.
    """

    file: str | None = None
    accept: str | None = None
    dual_control: bool = False


class RecorderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is recorded, sealed to whose key, and how much of it is kept.

    Without `dir` recordings lie in ``logs`` of the state directory, without `recipient` the key is
    ``log-public.key`` there. If `required`, arming waits for a recorder that works.
    """

    when: When = When.ARMED
    dir: str | None = None
    recipient: str | None = None
    quota_mb: int = 1000
    keep_free_mb: int = 200
    delete_oldest: bool = True
    required: bool = False
    purge_after_landing: bool = False


class PrearmConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pre-arm gate. `require` adds parameters and the range each must be in.

    With `remote_id` it also waits for the remote identification transmitter's word.
    """

    enforce: bool = True
    gcs_timeout_max_s: float = 5.0
    remote_id: bool = False
    require: dict[str, tuple[float, float]] = {}


class FailsafeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """T1: the silence after which the link is lost, and the greatest age of presence."""

    link_lost_s: float = WIFI_LIMITS[Freshness.PRESENCE] / 1e9
    radio_lost_s: float = RADIO_LIMITS[Freshness.PRESENCE] / 1e9


class Setpoints(StrEnum):
    """What the setpoints say by which the companion flies a trajectory."""

    POSITION = "position"
    MOTION = "motion"
    ATTITUDE = "attitude"


class FlightConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Flying trajectories. The others are the most that one may ask for. [m/s], [m/s2], degrees."""

    setpoints: Setpoints = Setpoints.ATTITUDE
    speed_max: float = DEFAULT_ABILITY.speed
    acceleration_max: float = DEFAULT_ABILITY.acceleration
    tilt_max: float = round(math.degrees(DEFAULT_ABILITY.tilt), 6)

    @property
    def ability(self) -> Ability:
        """What a trajectory may ask for."""
        return Ability(self.speed_max, self.acceleration_max, math.radians(self.tilt_max))


class DroneConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `drone.toml`."""

    autopilot: AutopilotConfig
    link: Link
    vehicle: Vehicle = Vehicle()
    state: State = State()
    policy: Policy = Policy()
    service: Service = Service()
    recorder: RecorderConfig = RecorderConfig()

    @property
    def logs_dir(self) -> Path:
        """Where recordings and the audit log lie."""
        named = self.recorder.dir
        return self.state_dir / "logs" if named is None else Path(named).expanduser()

    prearm: PrearmConfig = PrearmConfig()
    failsafe: FailsafeConfig = FailsafeConfig()
    flight: FlightConfig = FlightConfig()

    @property
    def prearm_options(self) -> PrearmOptions:
        """What the pre-arm gate requires."""
        return PrearmOptions(
            is_enforced=self.prearm.enforce,
            requires_recorder=self.recorder.required,
            requires_remote_id=self.prearm.remote_id,
            gcs_timeout_most=self.prearm.gcs_timeout_max_s,
            gcs_sysid=self.autopilot.gcs_sysid,
            require=tuple((name, *ends) for name, ends in self.prearm.require.items()),
        )

    @property
    def state_dir(self) -> Path:
        """The state directory, with ``~`` expanded."""
        return Path(self.state.dir).expanduser()


def check(config: DroneConfig) -> None:
    """Refuse values that are well-typed but not allowed.

    Raises:
        NotAllowedError: The first such value.
    """
    name = config.vehicle.name
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise NotAllowedError("vehicle.name", name, "1 to 63 letters, digits, '.', '_' or '-'")
    device = config.autopilot.device
    if not device:
        raise NotAllowedError(
            "autopilot.device", device, 'a serial device, as /dev/serial0, or "auto"'
        )
    _check_baud("autopilot.baud", config.autopilot.baud)
    check_address("link.udp.bind", config.link.udp.bind, parse_local)
    if device.startswith(UDP_DEVICE):
        check_address("autopilot.device", device.removeprefix(UDP_DEVICE), parse_local)
    failsafe = config.failsafe
    _check_range("failsafe.link_lost_s", failsafe.link_lost_s, 0.5, 10)
    _check_range("failsafe.radio_lost_s", failsafe.radio_lost_s, 1, 30)
    _check_ages("link.udp.max_age", config.link.udp.max_age, failsafe.link_lost_s)
    radio = config.link.radio
    if radio is not None:
        if not radio.device or radio.device == device:
            raise NotAllowedError(
                "link.radio.device", radio.device, "a serial device that is not the autopilot's"
            )
        check_radio("link.radio", radio.baud, radio.rate)
        _check_ages("link.radio.max_age", radio.max_age, failsafe.radio_lost_s)
    _check_prearm(config)
    _check_range("flight.speed_max", config.flight.speed_max, 0.5, 30)
    _check_range("flight.acceleration_max", config.flight.acceleration_max, 0.5, 10)
    _check_range("flight.tilt_max", config.flight.tilt_max, 5, 40)
    if config.policy.file is None and config.policy.accept is not None:
        raise NotAllowedError("policy.accept", config.policy.accept, "only with policy.file")
    check_service(config.service)
    _check_recorder(config.recorder)


def _check_recorder(recorder: RecorderConfig) -> None:
    if recorder.required and recorder.when is When.OFF:
        raise NotAllowedError("recorder.required", "true", "false while recorder.when is off")
    check_room(recorder.quota_mb, recorder.keep_free_mb)


def _check_prearm(config: DroneConfig) -> None:
    _check_range("autopilot.gcs_sysid", config.autopilot.gcs_sysid, 1, 255)
    _check_range("prearm.gcs_timeout_max_s", config.prearm.gcs_timeout_max_s, 2, 120)
    built_in = {name for row in requirements(PrearmOptions()) for name in row.names}
    for name, (least, most) in config.prearm.require.items():
        key = f"prearm.require.{name}"
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,15}", name) or name in built_in:
            allowed = "the name of a parameter that is not required anyway, as RTL_ALT"
            raise NotAllowedError(key, name, allowed)
        if not (math.isfinite(least) and math.isfinite(most) and least <= most):
            raise NotAllowedError(key, [least, most], "two numbers, the smaller first")


def _check_ages(key: str, ages: MaxAge, lost_s: float) -> None:
    for name in ages.__struct_fields__:
        value = getattr(ages, name)
        if value is not None:
            # Sticks are presence too, so they are no older than what is (T1).
            _check_range(f"{key}.{name}", value, 0.05, lost_s if name == "control" else 60)


def _check_range(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise NotAllowedError(key, value, f"{least:g} to {most:g}")


def _check_baud(key: str, baud: int | str) -> None:
    if baud != AUTO and baud not in BAUDS:
        raise NotAllowedError(key, baud, f'{BAUDS.start} to {BAUDS.stop - 1}, or "auto"')
