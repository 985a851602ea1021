"""`sekisho drone` and `sekisho ground`: configuration and keys in, a running service out."""

import argparse
import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec

import flightcore.config
import groundstation.config
from crypto.aio.files import StoreError
from crypto.aio.store import Store
from crypto.pair import PairRecord
from crypto.responder import MAX_PEERS
from crypto.revocation import usable_pairs
from flightcore.aio.service import CompanionService
from flightcore.parameters import UNDER_WAY
from flightcore.policy import Policy
from groundstation.aio.gateway import Control, Gateway
from sekisho.config_file import ConfigError, load
from sekisho.console_service import CONSOLE_REQUEST, serving_console
from sekisho.log_format import use_format
from sekisho.metrics import serving
from sekisho.mqtt_service import serving_mqtt
from sekisho.notify import ServiceManager
from sekisho.policy_file import load_policy
from sekisho.runtime import RELOAD_REVOCATIONS, holding, serve_until_stopped
from sekisho.unlock import SecretSource, descriptor, open_store
from sekisho.watchdog import Watchdog
from wire.locality import NotAllowedError, parse_loopback
from wire.service import Service

_log = logging.getLogger(__name__)


class ServiceStatus(msgspec.Struct):
    """The process itself. `late_s` is by how much its loop was late at worst, `exceptions` ours."""

    uptime_s: float
    late_s: float
    exceptions: int


class DroneReport(msgspec.Struct, tag_field="kind", tag="drone"):
    """What `sekisho status` prints of a companion."""

    name: str
    pid: int
    link: object
    peers: object
    authority: object
    failsafe: object
    autopilot: object
    monitor: object
    recorder: object
    prearm: object
    policy_override: object
    revocation_serial: int
    flight: object
    control_loop: object
    radio: object
    address: str
    service: ServiceStatus


class WriteParameter(msgspec.Struct, tag="write_parameter", forbid_unknown_fields=True):
    """What `sekisho doctor` asks of a running companion: a required parameter, written."""

    name: str
    value: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


class GroundReport(msgspec.Struct, tag_field="kind", tag="ground"):
    """What `sekisho status` prints of a gateway; `stations` are what others are called here."""

    pid: int
    link: object
    peers: object
    stations: dict[str, str]
    mqtt: object
    service: ServiceStatus


def load_drone_config(path: Path) -> flightcore.config.DroneConfig:
    """Read `drone.toml`.

    Raises:
        ConfigError: It cannot be used.
    """
    return load(path, flightcore.config.DroneConfig, flightcore.config.check)


def load_ground_config(path: Path) -> groundstation.config.GroundConfig:
    """Read `ground.toml`.

    Raises:
        ConfigError: It cannot be used.
    """
    return load(path, groundstation.config.GroundConfig, groundstation.config.check)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `drone` and `ground`."""
    drone = subparsers.add_parser(
        "drone",
        help="the companion service aboard",
        description="Run the companion: autopilot on a serial port, the secure link on a local "
        "address. Needs a pair record in the state directory (`sekisho pair`).",
        epilog="example: sekisho drone --config drone.toml",
    )
    drone.add_argument("--config", type=Path, required=True, metavar="drone.toml")
    _add_passphrase_option(drone)
    drone.set_defaults(run=run_drone)
    ground = subparsers.add_parser(
        "ground",
        help="the gateway on the ground",
        description="Run the gateway: the secure link to each drone, and plain MAVLink on "
        "loopback for QGroundControl, MAVProxy, MAVSDK and pymavlink.",
        epilog="example: sekisho ground --config ground.toml",
    )
    ground.add_argument("--config", type=Path, required=True, metavar="ground.toml")
    _add_passphrase_option(ground)
    ground.set_defaults(run=run_ground)


def _add_passphrase_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-fd",
        type=descriptor,
        metavar="N",
        help="if the keys are wrapped: read the passphrase from descriptor N instead of asking",
    )


def run_drone(arguments: argparse.Namespace) -> int:
    """Run the companion service until it is told to stop."""
    config = load_drone_config(arguments.config)
    policy = load_policy(arguments.config, config)
    use_format(config.service.log)
    with _in_file(arguments.config), holding("drone", config.state_dir) as path:
        store = _open(config.state_dir, config.state, arguments)
        return asyncio.run(_serve_drone(config, store, _drone_pairs(store), path, policy))


def run_ground(arguments: argparse.Namespace) -> int:
    """Run the gateway until it is told to stop."""
    config = load_ground_config(arguments.config)
    use_format(config.service.log)
    with _in_file(arguments.config), holding("ground", config.state_dir) as path:
        store = _open(config.state_dir, config.state, arguments)
        pairs = {drone.name: store.load_pair(drone.name) for drone in config.drone}
        _, revoked = usable_pairs(list(pairs.values()), store.load_revocations())
        for pair in revoked:
            _log.warning(
                "%s: this station is revoked and will not be answered; pair again", pair.peer
            )
        return asyncio.run(_serve_ground(config, store, pairs, path))


def _drone_pairs(store: Store) -> list[PairRecord]:
    """Return the pairs that a companion serves.

    Raises:
        StoreError: There is none.
    """
    pairs = store.load_pairs()
    where = store.directory / "pairs"
    if not pairs:
        raise StoreError(
            f"{where}: no ground station is paired with this drone; run `sekisho pair`"
        )
    usable, revoked = usable_pairs(pairs, store.load_revocations())
    for pair in revoked:
        _log.warning("%s: revoked by the fleet authority, left out", pair.peer)
    if not usable:
        raise StoreError(
            f"{where}: every paired ground station is revoked "
            f"({', '.join(pair.peer for pair in revoked)}); pair one again: `sekisho pair`"
        )
    if len(usable) > MAX_PEERS:
        raise StoreError(
            f"{where}: {len(usable)} ground stations are paired, and a drone serves {MAX_PEERS}; "
            "remove some: `sekisho keys remove`"
        )
    return usable


def _open(
    directory: Path,
    state: flightcore.config.State | groundstation.config.State,
    arguments: argparse.Namespace,
) -> Store:
    source = SecretSource.configured(state.passphrase_file, state.key_file, arguments.passphrase_fd)
    store = open_store(directory, source)
    if source != SecretSource() and store.secrets.load_header() is None:
        _log.warning("%s: the keys here are plain; `sekisho keys wrap` seals them", directory)
    return store


def _count_start(store: Store) -> int:
    """Return the count of starts; 0 if the disk takes no writes, which must not end a flight."""
    try:
        return store.next_boot_count()
    except OSError as error:
        _log.error(
            "%s: boot_count cannot be written (%s): going on with who is in command and the keys "
            "as they are on disk; neither can change",
            store.directory,
            error.strerror,
        )
        return 0


async def _serve_drone(
    config: flightcore.config.DroneConfig,
    store: Store,
    pairs: list[PairRecord],
    path: Path,
    policy: Policy,
) -> int:
    service = CompanionService(config, store, pairs, _count_start(store), policy)
    name = config.vehicle.name or socket.gethostname()
    if policy.fingerprint is not None:
        _log.warning(
            "%s: %s overrides the built-in policy, fingerprint %s",
            name,
            config.policy.file,
            policy.fingerprint,
        )
    process = _Process("drone", service.stuck, service.summary)

    def report() -> DroneReport:
        described = service.status()
        fields = {field: getattr(described, field) for field in described.__struct_fields__}
        return DroneReport(name=name, pid=os.getpid(), service=process.status(), **fields)

    def answer(request: bytes) -> bytes:
        if request == RELOAD_REVOCATIONS:
            service.reload_revocations()
            return b"reloaded"
        if request:
            return _write_parameter(service, request)
        return msgspec.json.encode(report())

    with contextlib.closing(service):
        service.start()
        _log.info(
            "%s: waiting for %d paired station(s) on %s", name, len(pairs), config.link.udp.bind
        )
        return await process.serve(path, answer, config.service, report)


async def _serve_ground(
    config: groundstation.config.GroundConfig,
    store: Store,
    pairs: dict[str, PairRecord],
    path: Path,
) -> int:
    gateway = Gateway(config, store, pairs, _count_start(store))
    process = _Process("ground", gateway.stuck, gateway.summary)

    def report() -> GroundReport:
        described = gateway.status()
        return GroundReport(
            os.getpid(),
            described.link,
            described.peers,
            config.stations,
            describe_mqtt(),
            process.status(),
        )

    addresses: dict[str, str] = {}

    def answer(request: bytes) -> bytes:
        if request == CONSOLE_REQUEST:
            return msgspec.json.encode(addresses)
        if request == RELOAD_REVOCATIONS:
            gateway.reload_revocations()
            return b"reloaded"
        if request:
            return _control(gateway, request)
        return msgspec.json.encode(report())

    with contextlib.closing(gateway):
        await gateway.start()
        async with (
            serving_mqtt(config, gateway, pairs) as describe_mqtt,
            serving_console(config, gateway) as addresses,
        ):
            return await process.serve(path, answer, config.service, report)


class _Process:
    """What the two services have in common: watchdog, metrics, and a count of our own mistakes."""

    def __init__(
        self, kind: str, stuck: Callable[[], str | None], summary: Callable[[], str]
    ) -> None:
        self._kind = kind
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._failed)
        self._started_s = self._loop.time()
        self._exceptions = 0
        self._watchdog = Watchdog(ServiceManager(), stuck, summary)

    def status(self) -> ServiceStatus:
        """Describe the process."""
        uptime_s = self._loop.time() - self._started_s
        return ServiceStatus(uptime_s, self._watchdog.late_s, self._exceptions)

    async def serve(
        self,
        path: Path,
        answer: Callable[[bytes], bytes],
        config: Service,
        report: Callable[[], DroneReport | GroundReport],
    ) -> int:
        """Answer queries, and a collector if there is to be one, until told to stop."""

        def tree() -> dict[str, object]:
            fields: dict[str, object] = msgspec.to_builtins(report())
            return fields

        address = None if config.metrics is None else parse_loopback(config.metrics)
        async with serving(address, f"sekisho_{self._kind}", tree):
            return await serve_until_stopped(path, answer, self._watchdog)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Count what raised in a callback; the loop goes on, and the watchdog tells if it hurt."""
        self._exceptions += 1
        loop.default_exception_handler(context)


def _write_parameter(service: CompanionService, request: bytes) -> bytes:
    """Do what whoever runs this service on the drone may do while it stands on the ground."""
    try:
        write = msgspec.json.decode(request, type=WriteParameter)
    except (msgspec.DecodeError, ValueError) as error:
        return f"a companion takes no orders here but to write a parameter: {error}".encode()
    return (service.write_parameter(write.name, write.value) or UNDER_WAY).encode()


def _control(gateway: Gateway, request: bytes) -> bytes:
    try:
        control = msgspec.json.decode(request, type=Control)
    except (msgspec.DecodeError, ValueError) as error:
        return f"not understood: {error}".encode()
    return gateway.request(control).encode()


@contextlib.contextmanager
def _in_file(path: Path) -> Iterator[None]:
    """Name the file whose value turned out not to be usable on this machine."""
    try:
        yield
    except NotAllowedError as error:
        raise ConfigError(f"{path}: {error}") from None
