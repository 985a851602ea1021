"""`ground.toml`: what the gateway is told. Defaults are those of the command's documentation."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from wire.authority import NOBODY
from wire.locality import (
    Address,
    NotAllowedError,
    check_address,
    parse_address,
    parse_local,
    parse_loopback,
)
from wire.recorder import When, check_room
from wire.send_queue import check_radio
from wire.service import Service, check_service

OFF: Final = "off"
EMBEDDED: Final = "embedded"
GATEWAY: Final = "gateway"  # its own name at the embedded broker
TLS_SCHEME, PLAIN_SCHEME = "mqtts://", "mqtt://"
_LEVEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_STATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,31}")
_STATION_ID: Final = re.compile(r"[0-9a-f]{32}")
LAB_LOG_KEY: Final = "log-keys/log-private.key"  # where `sekisho pair lab` puts it


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where pair records and counters live, and what opens them if they are wrapped."""

    dir: str = "~/.local/share/sekisho"
    passphrase_file: str | None = None
    key_file: str | None = None


class Drone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One paired drone: its name in the pair record, its address, its loopback endpoints.

    It is reached at `address`, over the serial radio at `device`, or both: then the radio is used
    while the address does not answer. `rate` is what the radio sends in bytes/s, if less than its
    port.
    """

    name: str
    address: str | None = None
    device: str | None = None
    baud: int = 57600
    rate: int | None = None
    mavlink_out: tuple[str, ...] = ("127.0.0.1:14550",)
    mavlink_udp: str | None = None
    mavlink_tcp: str | None = None


class Console(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the operator's console is served: a loopback address, or "off".

    Without this table it is served at the default if it is installed and the port is free.
    """

    bind: str = "127.0.0.1:8460"


class Subscriber(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may read from the embedded broker, and what: levels below `sekisho/v1/`.

    `topics` are sites, or a site and a vehicle: ("north",) or ("north/tsubame-1-5a9d02c4",). The
    gateway's own site if there is none.
    """

    name: str
    password_file: str
    topics: tuple[str, ...] = ()


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which broker telemetry is published to, and as which site.

    `broker` is "embedded", "off", mqtts://ADDRESS:PORT with `ca`, `cert` and `key`, or
    mqtt://ADDRESS:PORT on this machine. Without this table nothing is published.
    """

    site: str = "field"
    broker: str = EMBEDDED
    bind: str = "127.0.0.1:1883"
    subscriber: tuple[Subscriber, ...] = ()
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    user: str | None = None
    password_file: str | None = None


class RecorderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is recorded here, sealed to whose key, and how much of each drone is kept.

    Without `dir` recordings lie in ``logs`` of the state directory, without `recipient` the key is
    ``log-public.key`` there. `key` is the private file that opens them for the console, looked for
    each time one is opened; without it, ``log-keys/log-private.key`` of the state directory.
    """

    when: When = When.ARMED
    dir: str | None = None
    recipient: str | None = None
    key: str | None = None
    quota_mb: int = 1000
    keep_free_mb: int = 200
    delete_oldest: bool = True


class GroundConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `ground.toml`.

    `stations` is what people here call other ground stations: name and id. The names show who is in
    command, and spare typing an id; nothing is decided by them.
    """

    drone: list[Drone]
    stations: dict[str, str] = {}
    state: State = State()
    console: Console | None = None
    mqtt: Mqtt | None = None
    service: Service = Service()
    recorder: RecorderConfig = RecorderConfig()

    @property
    def state_dir(self) -> Path:
        """The state directory, with ``~`` expanded."""
        return Path(self.state.dir).expanduser()

    @property
    def logs_dir(self) -> Path:
        """Where recordings lie."""
        named = self.recorder.dir
        return self.state_dir / "logs" if named is None else Path(named).expanduser()

    @property
    def log_key(self) -> Path:
        """Where the private key that opens recordings is looked for."""
        named = self.recorder.key
        return self.state_dir / LAB_LOG_KEY if named is None else Path(named).expanduser()


def check(config: GroundConfig) -> None:
    """Refuse values that are well-typed but not allowed.

    Raises:
        NotAllowedError: The first such value.
    """
    check_service(config.service)
    check_room(config.recorder.quota_mb, config.recorder.keep_free_mb)
    if not config.drone:
        raise NotAllowedError("drone", [], "at least one [[drone]] table")
    if config.console is not None and config.console.bind != OFF:
        check_address("console.bind", config.console.bind, parse_console)
    if config.mqtt is not None:
        _check_mqtt(config.mqtt)
    _check_stations(config.stations)
    for index, drone in enumerate(config.drone):
        key = f"drone[{index}]"
        earlier = config.drone[:index]
        if any(drone.name == other.name for other in earlier):
            raise NotAllowedError(f"{key}.name", drone.name, "a name that no other [[drone]] has")
        _check_ways(key, drone, earlier)
        for text in drone.mavlink_out:
            check_address(f"{key}.mavlink_out", text, parse_loopback)
        for name in ("mavlink_udp", "mavlink_tcp"):
            text = getattr(drone, name)
            if text is None:
                continue
            check_address(f"{key}.{name}", text, parse_loopback)
            if any(text == getattr(other, name) for other in earlier):
                raise NotAllowedError(
                    f"{key}.{name}", text, "an address that no other [[drone]] serves"
                )


def parse_console(text: str) -> Address:
    """Parse where the console is served.

    Raises:
        ValueError: It is no address of this machine.
    """
    host, port = parse_address(text)
    if not ipaddress.IPv4Address(host).is_loopback:
        raise ValueError(
            'a loopback address, as 127.0.0.1:8460, or "off": from another machine the console is '
            "reached through ssh -L"
        )
    return host, port


def parse_broker(text: str) -> Address:
    """Parse the address of a broker that runs by itself.

    Raises:
        ValueError: It is none that may be used.
    """
    if text.startswith(TLS_SCHEME):
        return parse_local(text.removeprefix(TLS_SCHEME))
    if text.startswith(PLAIN_SCHEME):
        address = parse_local(text.removeprefix(PLAIN_SCHEME))
        if ipaddress.IPv4Address(address[0]).is_loopback:
            return address
    raise ValueError(
        '"embedded", "off", mqtts://ADDRESS:PORT, or on this machine mqtt://127.0.0.1:PORT'
    )


def _check_stations(stations: Mapping[str, str]) -> None:
    for name, station in stations.items():
        key = f"stations.{name}"
        if not _STATION.fullmatch(name) or _STATION_ID.fullmatch(name):
            raise NotAllowedError(
                key, station, f"a name that matches {_STATION.pattern}, and no id"
            )
        if not _STATION_ID.fullmatch(station) or station == NOBODY.hex():
            allowed = (
                "32 digits of 0 to 9 and a to f, as `sekisho authority show` prints them there"
            )
            raise NotAllowedError(key, station, allowed)
        if list(stations.values()).count(station) > 1:
            raise NotAllowedError(key, station, "an id that has no other name")


def _check_mqtt(mqtt: Mqtt) -> None:
    if not _LEVEL.fullmatch(mqtt.site):
        raise NotAllowedError("mqtt.site", mqtt.site, f"a text that matches {_LEVEL.pattern}")
    is_embedded = mqtt.broker == EMBEDDED
    if not is_embedded and mqtt.broker != OFF:
        check_address("mqtt.broker", mqtt.broker, parse_broker)
    check_address("mqtt.bind", mqtt.bind, parse_loopback)
    is_tls = mqtt.broker.startswith(TLS_SCHEME)
    for name in ("ca", "cert", "key"):
        if (getattr(mqtt, name) is not None) != is_tls:
            allowed = "a file" if is_tls else f"a file only with broker = {TLS_SCHEME}..."
            raise NotAllowedError(f"mqtt.{name}", getattr(mqtt, name), allowed)
    if (mqtt.user is None) != (mqtt.password_file is None):
        raise NotAllowedError("mqtt.user", mqtt.user, "both user and password_file, or neither")
    if mqtt.user is not None and is_embedded:
        raise NotAllowedError("mqtt.user", mqtt.user, "nothing with the embedded broker")
    if mqtt.subscriber and not is_embedded:
        allowed = "none but with the embedded broker: another has its own list"
        raise NotAllowedError("mqtt.subscriber", [s.name for s in mqtt.subscriber], allowed)
    for index, subscriber in enumerate(mqtt.subscriber):
        _check_subscriber(f"mqtt.subscriber[{index}]", subscriber, mqtt.subscriber[:index])


def _check_subscriber(key: str, subscriber: Subscriber, earlier: Sequence[Subscriber]) -> None:
    name = subscriber.name
    is_taken = name == GATEWAY or any(name == other.name for other in earlier)
    if is_taken or not _LEVEL.fullmatch(name):
        allowed = f"a name of its own that matches {_LEVEL.pattern}, and not {GATEWAY!r}"
        raise NotAllowedError(f"{key}.name", name, allowed)
    for topic in subscriber.topics:
        levels = topic.split("/")
        if len(levels) > 2 or not all(map(_LEVEL.fullmatch, levels)):
            raise NotAllowedError(f"{key}.topics", topic, "a site, or SITE/VEHICLE; no wildcard")


def _check_ways(key: str, drone: Drone, earlier: list[Drone]) -> None:
    if drone.address is None and drone.device is None:
        raise NotAllowedError(f"{key}.address", None, "an address, or a radio's device, or both")
    if drone.address is not None:
        check_address(f"{key}.address", drone.address, parse_local)
    if drone.device is None:
        return
    if not drone.device or any(drone.device == other.device for other in earlier):
        raise NotAllowedError(
            f"{key}.device", drone.device, "a serial device that no other [[drone]] uses"
        )
    check_radio(key, drone.baud, drone.rate)
