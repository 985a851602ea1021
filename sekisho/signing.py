"""`sekisho signing`: MAVLink signing between companion and autopilot, on, off and shown."""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import serial

from crypto.aio.files import StoreError
from crypto.aio.store import Store
from flightcore.aio.port_finder import candidates, find
from flightcore.aio.signing_files import (
    forget_keys,
    load_floor,
    load_keys,
    save_floor,
    save_keys,
)
from flightcore.config import UDP_DEVICE, AutopilotConfig, DroneConfig
from flightcore.key_change import NO_KEY, Found, KeyChange
from flightcore.signing import (
    KEY_BYTES,
    SigningFloor,
    SigningKeys,
    SigningState,
    first_timestamp,
    state_of,
)
from sekisho.config_file import ConfigError
from sekisho.runtime import OperationFailedError, holding
from sekisho.services import load_drone_config
from sekisho.unlock import SecretSource, descriptor, open_store
from wire.aio.alarm import monotonic_ns

_POLL_S: Final = 0.05
_REFUSALS: Final = {
    Found.SILENT: "no autopilot is heard; is it powered, and SERIALn_PROTOCOL = 2 there?",
    Found.ARMED: "the vehicle is armed: nothing was changed; land and disarm",
    Found.FOREIGN: "the autopilot signs with a key that is not here; connect its USB port and "
    "repeat with --device /dev/ttyACM0 --replace",
}
_NOT_TAKEN: Final = (
    "the autopilot did not follow; what is here is as it was. Over another port than USB it takes "
    "a change only if it is signed with the key that it has"
)


class SigningReport(msgspec.Struct):
    """What is known here, for ``--json``; `autopilot` is the system id that was heard."""

    state: SigningState
    autopilot: int | None = None


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `signing`."""
    parser = subparsers.add_parser(
        "signing",
        help="sign the line between companion and autopilot",
        description="Give the autopilot a random MAVLink 2 signing key, or take it away; the "
        "vehicle is disarmed and `sekisho drone` stopped.",
        epilog="example: sekisho signing setup --config drone.toml",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="ACTION")
    for name, summary, run in (
        ("setup", "make a key, give it to the autopilot and keep it if it signs", run_setup),
        ("off", "take the key away from the autopilot and forget it", run_off),
        ("status", "tell whether this companion signs", run_status),
    ):
        action = kinds.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example: sekisho signing {name} --config drone.toml",
        )
        action.set_defaults(run=run)
        action.add_argument("--config", type=Path, required=True, metavar="drone.toml")
        action.add_argument("--json", action="store_true")
        action.add_argument(
            "--passphrase-fd",
            type=descriptor,
            metavar="N",
            help="if the keys are wrapped: read the passphrase from descriptor N",
        )
        if name != "status":
            action.add_argument(
                "--device", metavar="D", help="the autopilot's USB port, to get back in"
            )
            action.add_argument(
                "--replace", action="store_true", help="a key of the autopilot's that is not here"
            )


def run_status(arguments: argparse.Namespace) -> int:
    """Say what is on disk."""
    config = load_drone_config(arguments.config)
    return _report(arguments, SigningReport(state_of(load_keys(_store(config, arguments)))))


def run_setup(arguments: argparse.Namespace) -> int:
    """Give the autopilot a new key."""
    return _change(arguments, os.urandom(KEY_BYTES))


def run_off(arguments: argparse.Namespace) -> int:
    """Take the autopilot's key away."""
    return _change(arguments, NO_KEY)


def _change(arguments: argparse.Namespace, key: bytes) -> int:
    config = load_drone_config(arguments.config)
    where = config.autopilot
    if arguments.device is not None:
        where = msgspec.structs.replace(where, device=arguments.device)
    if where.device.startswith(UDP_DEVICE):
        raise ConfigError(
            f"{arguments.config}: autopilot.device = {where.device!r}; allowed: a serial device"
        )
    with holding("drone", config.state_dir):
        store = _store(config, arguments)
        with _open(where) as port:
            sysid = _exchange(store, port, key, may_replace=arguments.replace)
        return _report(arguments, SigningReport(state_of(load_keys(store)), sysid))


def _exchange(store: Store, port: serial.Serial, key: bytes, *, may_replace: bool) -> int | None:
    """Change the autopilot's key and what is on disk, in an order that no crash spoils."""
    before = load_keys(store)
    change = KeyChange(before, first_timestamp(load_floor(store), time.time_ns()), monotonic_ns())
    _run(change, port, lambda: change.found is not None)
    found = change.found
    assert found is not None
    if found in _REFUSALS and not (found is Found.FOREIGN and may_replace):
        raise OperationFailedError(_REFUSALS[found])
    if key != NO_KEY:
        save_keys(store, SigningKeys(key=change.key, offered=key))
        save_floor(store, SigningFloor(timestamp=change.timestamp(monotonic_ns())))
    if key != NO_KEY or found is not Found.UNSIGNED:
        change.offer(key, monotonic_ns())
        _run(change, port, lambda: change.is_over)
        if not change.is_done and change.is_answered:
            _keep(store, before)
        if not change.is_done:
            raise OperationFailedError(
                _NOT_TAKEN if change.is_answered else _REFUSALS[Found.SILENT]
            )
        save_floor(store, SigningFloor(timestamp=change.timestamp(monotonic_ns())))
    _keep(store, None if key == NO_KEY else SigningKeys(key=key))
    return change.sysid


def _run(change: KeyChange, port: serial.Serial, is_enough: Callable[[], bool]) -> None:
    while not is_enough():
        data = port.read(max(1, port.in_waiting))
        change.receive(data, monotonic_ns())
        change.tick(monotonic_ns())
        port.write(change.outgoing())


def _keep(store: Store, keys: SigningKeys | None) -> None:
    if keys is None:
        forget_keys(store)
    else:
        save_keys(store, keys)


def _open(where: AutopilotConfig) -> serial.Serial:
    found = find(where, candidates)
    if found is None:
        raise OperationFailedError(_REFUSALS[Found.SILENT])
    try:
        port = serial.Serial(*found, timeout=_POLL_S, exclusive=True)
    except (serial.SerialException, ValueError) as error:
        raise OperationFailedError(f"{found.device} cannot be opened: {error}") from None
    port.reset_input_buffer()
    return port


def _store(config: DroneConfig, arguments: argparse.Namespace) -> Store:
    if not config.state_dir.is_dir():
        raise StoreError(f"{config.state_dir}: missing; pair first: `sekisho pair`")
    state = config.state
    source = SecretSource.configured(state.passphrase_file, state.key_file, arguments.passphrase_fd)
    return open_store(config.state_dir, source)


def _report(arguments: argparse.Namespace, report: SigningReport) -> int:
    if arguments.json:
        print(msgspec.json.encode(report).decode())
    else:
        print(_TEXTS[report.state])
    return 0


_TEXTS: Final = {
    SigningState.OFF: "off: the line to the autopilot is not signed",
    SigningState.OFFERED: "offered: a setup was not finished; run `sekisho signing setup` again",
    SigningState.ON: "on: unsigned frames of the autopilot are refused",
}
