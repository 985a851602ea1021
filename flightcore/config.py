"""`drone.toml`: what the companion is told. Defaults are those of the command's documentation."""

import re
from pathlib import Path
from typing import Final

import msgspec

from wire.locality import NotAllowedError, check_address, parse_local

UDP_DEVICE: Final = "udp:"
_BAUDS: Final = range(1200, 12_000_001)


class Vehicle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the drone is called."""

    name: str | None = None


class AutopilotConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the autopilot is: a serial device, or for development ``udp:HOST:PORT``."""

    device: str
    baud: int = 921600


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where pair records and counters live, and what opens them if they are wrapped."""

    dir: str = "/var/lib/sekisho"
    passphrase_file: str | None = None
    key_file: str | None = None


class Udp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The named local address on which ground stations reach this drone."""

    bind: str


class Radio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A serial radio as second path."""

    device: str
    baud: int = 57600


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The paths to the ground."""

    udp: Udp
    radio: Radio | None = None


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An override of the built-in policy."""

    file: str | None = None


class DroneConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `drone.toml`."""

    autopilot: AutopilotConfig
    link: Link
    vehicle: Vehicle = Vehicle()
    state: State = State()
    policy: Policy = Policy()

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
        raise NotAllowedError("autopilot.device", device, "a serial device, as /dev/serial0")
    _check_baud("autopilot.baud", config.autopilot.baud)
    check_address("link.udp.bind", config.link.udp.bind, parse_local)
    if device.startswith(UDP_DEVICE):
        check_address("autopilot.device", device.removeprefix(UDP_DEVICE), parse_local)
    if config.link.radio is not None:
        raise NotAllowedError(
            "link.radio", config.link.radio.device, "nothing: this version has no serial radio"
        )
    if config.policy.file is not None:
        raise NotAllowedError(
            "policy.file", config.policy.file, "nothing: this version has the built-in policy only"
        )


def _check_baud(key: str, baud: int) -> None:
    if baud not in _BAUDS:
        raise NotAllowedError(key, baud, f"{_BAUDS.start} to {_BAUDS.stop - 1}")
