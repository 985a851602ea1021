"""`ground.toml`: what the gateway is told. Defaults are those of the command's documentation."""

from pathlib import Path

import msgspec

from wire.locality import parse_local, parse_loopback


class Invalid(ValueError):
    """A value that is well-typed but not allowed; the text has key, value and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key} = {value!r}; allowed: {allowed}")


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where pair records and counters live."""

    dir: str = "~/.local/share/sekisho"


class Drone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One paired drone: its name in the pair record, its address, its loopback endpoints."""

    name: str
    address: str
    mavlink_out: list[str] = ["127.0.0.1:14550"]
    mavlink_udp: str | None = None
    mavlink_tcp: str | None = None


class Console(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the operator's console is served."""

    bind: str = "127.0.0.1:8460"


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which broker telemetry is published to."""

    broker: str = "embedded"
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class GroundConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `ground.toml`."""

    drone: list[Drone]
    state: State = State()
    console: Console | None = None
    mqtt: Mqtt | None = None

    @property
    def state_dir(self) -> Path:
        """The state directory, with ``~`` expanded."""
        return Path(self.state.dir).expanduser()


def check(config: GroundConfig) -> None:
    """Refuse values that are well-typed but not allowed.

    Raises:
        Invalid: The first such value.
    """
    if not config.drone:
        raise Invalid("drone", [], "at least one [[drone]] table")
    taken: dict[str, str] = {}
    for index, drone in enumerate(config.drone):
        key = f"drone[{index}]"
        if drone.name in taken:
            raise Invalid(f"{key}.name", drone.name, f"a name not yet used by {taken[drone.name]}")
        taken[drone.name] = key
        try:
            parse_local(drone.address)
        except ValueError as error:
            raise Invalid(f"{key}.address", drone.address, str(error)) from None
        endpoints = [(f"{key}.mavlink_out", text) for text in drone.mavlink_out]
        endpoints += [
            (f"{key}.{name}", text)
            for name, text in (
                ("mavlink_udp", drone.mavlink_udp),
                ("mavlink_tcp", drone.mavlink_tcp),
            )
            if text is not None
        ]
        for name, text in endpoints:
            try:
                parse_loopback(text)
            except ValueError as error:
                raise Invalid(name, text, str(error)) from None
            if text in taken and not name.endswith("mavlink_tcp"):
                raise Invalid(name, text, f"an address not yet used by {taken[text]}")
            taken.setdefault(text, name)
