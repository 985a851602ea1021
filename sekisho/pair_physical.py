"""`sekisho pair drone` and `pair ground`: the physical pairing, one end each."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic_ns
from typing import Final

import msgspec
import segno

from crypto.aio.store import Store
from crypto.enrolment import Token, TokenError
from crypto.pair import PairRecord, Role
from crypto.pairing import TOKEN_LIFETIME_NS, Pairing
from crypto.pairing_exchange import DroneExchange, GroundExchange, Terms
from crypto.suites import CHACHA, SUITES
from flightcore.config import BAUDS, AutopilotConfig
from sekisho.config_file import ConfigError
from sekisho.evidence import keep
from sekisho.pair_guard import Guard, RefusedError, check_room
from sekisho.pair_line import Line, SerialLine, TcpLine
from sekisho.pair_run import PairingFailedError, Run, Screen, Shelf
from sekisho.runtime import query, socket_path
from sekisho.services import load_drone_config
from sekisho.unlock import SecretSource, add_source_options, descriptor, open_store, source_of
from wire.locality import Address, NotAllowedError, check_address, parse_local
from wire.trail import Event, Topic

EXIT_FAILED: Final = 1
BAUD: Final = 115_200
_DRONE_TEXT: Final = """\
Show a one-time token, wait for one ground station that was given it, and pair with it once the
people at both screens have compared six digits. Over a cable: a serial line (USB) or a direct
Ethernet address. The vehicle must be disarmed. Nothing listens but while this command runs."""
_GROUND_TEXT: Final = """\
Pair with a drone that runs `sekisho pair drone`: type the token that it shows, then compare six
digits with its screen. Over the same cable: a serial line (USB) or a direct Ethernet address."""


class PairReport(msgspec.Struct, omit_defaults=True):
    """How it ended, for ``--json``."""

    ok: bool
    peer: str | None = None
    role: str | None = None
    suite: str | None = None
    record: str | None = None
    reason: str | None = None
    explanation: str | None = None


def add_parsers(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `pair drone` and `pair ground`."""
    drone = kinds.add_parser(
        "drone",
        help="aboard: show a token and pair with the ground station that has it",
        description=_DRONE_TEXT,
        epilog="example: sekisho pair drone --config drone.toml --listen 192.168.50.1:14611 "
        "--role commander",
    )
    place = drone.add_mutually_exclusive_group(required=True)
    place.add_argument("--config", type=Path, metavar="drone.toml")
    place.add_argument("--state-dir", type=Path, metavar="D", help="on the bench, without a file")
    _add_line(drone, "--listen", "wait on this local address")
    drone.add_argument(
        "--role",
        choices=[role.value for role in Role],
        required=True,
        help="what this ground station may do",
    )
    drone.add_argument(
        "--suite",
        choices=[suite.name for suite in SUITES.values()],
        default=CHACHA.name,
        help="cipher and hash of this pair for good (default: %(default)s)",
    )
    drone.add_argument("--name", help="what to call the ground station (default: its own word)")
    drone.add_argument(
        "--no-autopilot",
        action="store_true",
        help="no autopilot is connected: nothing can be armed",
    )
    _add_common(drone)
    drone.set_defaults(run=run_drone)
    ground = kinds.add_parser(
        "ground",
        help="on the ground: type the token a drone shows and pair with it",
        description=_GROUND_TEXT,
        epilog="example: sekisho pair ground --state-dir ~/.local/share/sekisho --name tsubame-1 "
        "--connect 192.168.50.1:14611",
    )
    ground.add_argument("--state-dir", type=Path, required=True, metavar="G")
    _add_line(ground, "--connect", "call the drone at this local address")
    ground.add_argument("--name", help="what to call the drone (default: its own word)")
    ground.add_argument(
        "--token-fd",
        type=descriptor,
        metavar="N",
        help="read the token from this open file descriptor, not from the terminal",
    )
    _add_common(ground)
    ground.set_defaults(run=run_ground)


def _add_line(parser: argparse.ArgumentParser, tcp: str, what: str) -> None:
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument(tcp, dest="address", metavar="ADDR:PORT", help=what)
    line.add_argument("--serial", metavar="DEV", help="or over a serial device, as /dev/ttyGS0")
    parser.add_argument(
        "--baud", type=_baud, default=BAUD, help="of the serial device (default: %(default)s)"
    )


def _baud(text: str) -> int:
    if not text.isdecimal() or int(text) not in BAUDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate from {BAUDS[0]} to {BAUDS[-1]}")
    return int(text)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_source_options(parser)
    parser.add_argument("--replace", action="store_true", help="replace an existing pairing")
    parser.add_argument("--json", action="store_true", help="report as JSON; the rest on stderr")


def run_drone(arguments: argparse.Namespace) -> int:
    """Pair this drone with one ground station."""
    state_dir, own_name, autopilot, source = _drone_place(arguments)
    store = open_store(state_dir, source)
    shelf = Shelf(store, arguments.name, arguments.replace)
    shelf.check_free()
    check_room(store, arguments.name)
    address = _address("--listen", arguments.address)
    if autopilot is not None and arguments.serial == autopilot.device:
        raise ConfigError(
            f"--serial = {arguments.serial!r}; allowed: another device than autopilot.device"
        )
    guard = Guard(state_dir, autopilot, arguments.no_autopilot)
    screen = _screen(arguments)
    with _reported(arguments, screen) as report:
        screen.say("Making sure that the vehicle is disarmed ...")
        guard.check()
        identity = store.load_or_create_identity(os.urandom)
        suite = next(s for s in SUITES.values() if s.name == arguments.suite)
        exchange = DroneExchange(
            identity,
            own_name or f"drone-{identity.device_id[:4].hex()}",
            Terms(suite, Role(arguments.role), store.load_revocations().serial),
            os.urandom,
        )
        line = TcpLine.listen(address) if address else _serial(arguments)
        pairing = Pairing(exchange, monotonic_ns())
        _show(exchange.token, screen)
        record = Run(pairing, line, screen, shelf).until_saved(lambda r: r.gcs_id, guard.check)
        report(record, store)
        _tell_service("drone", state_dir, screen)
    keep(store, Event(Topic.PAIRING, report.outcome, by=report.peer))
    return 0 if report.ok else EXIT_FAILED


def run_ground(arguments: argparse.Namespace) -> int:
    """Pair this ground station with one drone."""
    store = open_store(arguments.state_dir, source_of(arguments))
    shelf = Shelf(store, arguments.name, arguments.replace)
    shelf.check_free()
    address = _address("--connect", arguments.address)
    screen = _screen(arguments)
    token = _read_token(arguments, screen)
    with _reported(arguments, screen) as report:
        identity = store.load_or_create_identity(os.urandom)
        own_name = f"ground-{identity.device_id[:4].hex()}"
        screen.say(f"The drone grants the role {token.role}, cipher {token.suite.name}.")
        line = _connect(address) if address else _serial(arguments)
        pairing = Pairing(GroundExchange(token, identity, own_name, os.urandom), monotonic_ns())
        record = Run(pairing, line, screen, shelf).until_saved(lambda r: r.drone_id, _nothing)
        report(record, store)
        _tell_service("ground", arguments.state_dir, screen)
    return 0 if report.ok else EXIT_FAILED


class _Report:
    """The end of a pairing, said once."""

    def __init__(self, screen: Screen, *, json: bool) -> None:
        self.ok = False
        self.peer: str | None = None
        self.outcome = ""
        self._screen = screen
        self._json = json

    def __call__(self, record: PairRecord, store: Store) -> None:
        self.ok = True
        self.peer = record.peer
        self.outcome = f"paired with {record.peer} ({record.role})"
        path = store.pair_path(record.peer)
        if self._json:
            report = PairReport(
                ok=True,
                peer=record.peer,
                role=record.role.value,
                suite=record.profile.name,
                record=str(path),
            )
            print(msgspec.json.encode(report).decode(), flush=True)
        else:
            self._screen.say(f"{self.outcome}\n  {path}")

    def failed(self, reason: str, explanation: str) -> None:
        """Say why there is no record."""
        self.outcome = f"not paired: {reason}: {explanation}"
        if self._json:
            report = PairReport(ok=False, reason=reason, explanation=explanation)
            print(msgspec.json.encode(report).decode(), flush=True)
        self._screen.end_line()
        print(f"sekisho: not paired: {explanation}", file=sys.stderr)


@contextlib.contextmanager
def _reported(arguments: argparse.Namespace, screen: Screen) -> Iterator[_Report]:
    """Report how the pairing inside ended, whichever way."""
    report = _Report(screen, json=arguments.json)
    try:
        yield report
    except PairingFailedError as error:
        report.failed(error.reason.value, str(error))
    except RefusedError as error:
        report.failed("refused", str(error))


def _drone_place(
    arguments: argparse.Namespace,
) -> tuple[Path, str | None, AutopilotConfig | None, SecretSource]:
    """Return the state directory, the drone's name, its autopilot, and what opens its keys."""
    named = source_of(arguments)
    if arguments.config is None:
        return arguments.state_dir, None, None, named
    config = load_drone_config(arguments.config)
    state = config.state
    configured = SecretSource.configured(state.passphrase_file, state.key_file, None)
    source = configured if named == SecretSource() else named
    return config.state_dir, config.vehicle.name, config.autopilot, source


def _address(key: str, text: str | None) -> Address | None:
    try:
        return None if text is None else check_address(key, text, parse_local)
    except NotAllowedError as error:
        raise ConfigError(str(error)) from None


def _serial(arguments: argparse.Namespace) -> Line:
    return SerialLine(arguments.serial, arguments.baud)


def _connect(address: Address) -> Line:
    try:
        return TcpLine.connect(address)
    except OSError as error:
        raise OSError(
            f"--connect {address[0]}:{address[1]}: {error.strerror or error}; "
            "is `sekisho pair drone` running there, on a direct cable?"
        ) from None


def _screen(arguments: argparse.Namespace) -> Screen:
    """Return the screen: stdout belongs to the report when that is JSON."""
    return Screen(sys.stderr if arguments.json else sys.stdout)


def _read_token(arguments: argparse.Namespace, screen: Screen) -> Token:
    """Return the token that was typed, or that a descriptor holds; a terminal may try again."""
    typed = arguments.token_fd in (None, screen.fileno())
    source = screen if typed else Screen(sys.stderr, arguments.token_fd)
    while True:
        if typed:
            screen.ask("Token that the drone shows:")
        try:
            return Token.parse(source.read_line())
        except TokenError as error:
            if not os.isatty(source.fileno()):
                raise ConfigError(f"token: {error}") from None
            screen.say(f"{error}; once more, please")


def _show(token: Token, screen: Screen) -> None:
    minutes = TOKEN_LIFETIME_NS // 60_000_000_000
    screen.say(f"\nToken, good for one attempt within {minutes} minutes:\n\n  {token.text}\n")
    if screen.is_terminal:
        # Upper case, digits and dashes: the code's alphanumeric mode.
        segno.make(token.text, error="m", micro=False).terminal(screen.out, compact=True, border=2)


def _tell_service(kind: str, state_dir: Path, screen: Screen) -> None:
    """Say what a service must do that read its pair records when it started."""
    with contextlib.suppress(OSError):  # none is running
        query(socket_path(kind, state_dir))
        screen.say(f"The running {kind} service knows it from its next start on: restart it.")


def _nothing() -> None:
    """The ground has no vehicle to look after."""
