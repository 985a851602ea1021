"""`sekisho authority` and `sekisho confirm`: who commands a drone, and second steps, by word.

Both talk to the running gateway over its local socket.
"""

import argparse
import select
import sys
import termios
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from groundstation.operation import describe
from sekisho.config_file import ConfigError
from sekisho.runtime import is_answering, query, runtime_dir, socket_path
from sekisho.services import load_ground_config
from wire.authority import NOBODY

_POLL_S: Final = 0.1
_ANSWER_S: Final = 6.0
_VERBS: Final = {
    "hand-over": "offer command to another station; it has 10 s to accept",
    "accept": "take the command that has been offered",
    "claim": "take command from a station that has been lost for 15 s",
    "preempt": "take command, as a supervisor",
    "suspend": "shut another station out until the drone restarts, as a supervisor",
    "clear-alarm": "take back the navigation alarm, as the station in command",
}
_EXAMPLES: Final = {
    "hand-over": "tsubame-1 --station 4f1c52a09be3d7781c06e2f3a4b5968d",
    "suspend": "tsubame-1 --station 4f1c52a09be3d7781c06e2f3a4b5968d",
}
_MEANING: Final = {
    "done": "done",
    "offered": "offered: the other station has 10 s to accept",
    "not_holder": "this station is not in command",
    "not_offered": "nothing has been offered to this station, or the offer has lapsed",
    "holder_present": "the station in command is there: ask it to hand over",
    "not_allowed": "the role of this station does not allow it",
    "unknown_station": "the drone knows no such station, or it is this one",
    "not_saved": "the drone could not write it to its disk, so nothing has changed",
    "none": "the drone did not answer",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `authority` and `confirm`."""
    authority = subparsers.add_parser(
        "authority",
        help="who commands a drone: show, hand-over, accept, claim, preempt, suspend, clear-alarm",
        description="Ask the drone to change who is in command, through the running gateway.",
        epilog=f"example: sekisho authority hand-over {_EXAMPLES['hand-over']}",
    )
    verbs = authority.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, text in {"show": "who is in command, and this station's id", **_VERBS}.items():
        verb = verbs.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example: sekisho authority {name} {_EXAMPLES.get(name, 'tsubame-1')}",
        )
        _add_common(verb)
        if name in ("hand-over", "suspend"):
            verb.add_argument(
                "--station",
                required=True,
                metavar="ID",
                help="the other station: its id, as its own `sekisho authority show` prints it, or "
                "its name in [stations] of ground.toml",
            )
    authority.set_defaults(run=run_authority, station="")
    confirm = subparsers.add_parser(
        "confirm",
        help="take the second step of an operation that cannot be taken back",
        description="Wait for the drone to ask for confirmation, show what would be done, and "
        "confirm it. An operation has to be confirmed within 3 s, so start this first.",
        epilog="example: sekisho confirm tsubame-1 --seconds 60",
    )
    _add_common(confirm)
    confirm.add_argument(
        "--seconds",
        type=_seconds,
        default=60.0,
        help="how long to wait for the drone to ask, 0.1 to 3600 (default: 60)",
    )
    confirm.set_defaults(run=run_confirm)


def run_authority(arguments: argparse.Namespace) -> int:
    """Ask, wait for the drone's answer, say it."""
    path = find_gateway(arguments.config)
    if arguments.verb == "show":
        return _show(path, arguments.drone)
    station = _station(path, arguments.station)
    if not _ask(path, arguments.drone, arguments.verb.replace("-", "_"), station):
        return 1
    until = time.monotonic() + _ANSWER_S
    while time.monotonic() < until:
        time.sleep(_POLL_S)
        result = _authority(path, arguments.drone)["request"]
        if result != "waiting":
            print(f"{arguments.drone}: {_MEANING.get(result, result)}")
            return 0 if result in ("done", "offered") else 1
    print(f"sekisho: {arguments.drone}: {_MEANING['none']}", file=sys.stderr)
    return 1


def run_confirm(arguments: argparse.Namespace) -> int:
    """Wait for a challenge, show it, send the second step if the operator says yes."""
    path = find_gateway(arguments.config)
    print(f"waiting for {arguments.drone} to ask ...", file=sys.stderr)
    until = time.monotonic() + arguments.seconds
    while time.monotonic() < until:
        authority = _authority(path, arguments.drone)
        if authority["challenge"] is not None:
            text = describe(bytes.fromhex(authority["operation"]))
            if text is None:
                print("sekisho: what was asked for cannot be shown, so no", file=sys.stderr)
                return 1
            print(f"{arguments.drone}: {text}. Confirm? [y/N] ", end="", flush=True)
            if sys.stdin.isatty():  # what was typed before the question is no answer to it
                termios.tcflush(sys.stdin, termios.TCIFLUSH)
            readable, _, _ = select.select([sys.stdin], [], [], 3.0)
            if not readable or sys.stdin.readline().strip().lower() not in ("y", "yes"):
                _ask(path, arguments.drone, "decline", authority["challenge"])
                print("not confirmed")
                return 1
            if not _ask(path, arguments.drone, "confirm", authority["challenge"]):
                return 1
            print(
                "sent. Whoever asked for it gets the drone's answer; with policy.dual_control that "
                "has to be another station than this one"
            )
            return 0
        time.sleep(_POLL_S)
    print(f"sekisho: {arguments.drone} asked nothing in that time", file=sys.stderr)
    return 1


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 3600")
    return value


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("drone", help="the drone's name in ground.toml")
    add_config_option(parser)


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Add what says which gateway is meant."""
    parser.add_argument("--config", type=Path, metavar="ground.toml", help="which gateway to ask")


def find_gateway(config: Path | None) -> Path:
    """Return where the gateway answers that is meant: of a configuration, or the only one.

    Raises:
        ConfigError: None is running, or several are.
    """
    if config is not None:
        return socket_path("ground", load_ground_config(config).state_dir)
    paths = [path for path in sorted(runtime_dir().glob("ground-*.sock")) if is_answering(path)]
    if len(paths) != 1:
        found = "no gateway is running" if not paths else f"{len(paths)} gateways are running"
        raise ConfigError(f"{found}: name one with --config ground.toml")
    return paths[0]


def _ask(path: Path, drone: str, do: str, value: str) -> bool:
    """Hand a request to the gateway; tell whether it was sent, and say why not."""
    request = msgspec.json.encode({"drone": drone, "do": do, "value": value}) + b"\n"
    answer = query(path, request).decode()
    if answer != "sent":
        print(f"sekisho: {answer}", file=sys.stderr)
    return answer == "sent"


def _authority(path: Path, drone: str) -> dict[str, Any]:
    peers = msgspec.json.decode(query(path))["peers"]
    if drone not in peers:
        raise ConfigError(f"no drone {drone!r} here; known: {', '.join(peers)}")
    authority: dict[str, Any] = peers[drone]["authority"]
    return authority


def _named_stations(path: Path) -> dict[str, str]:
    names: dict[str, str] = msgspec.json.decode(query(path))["stations"]
    return names


def _station(path: Path, text: str) -> str:
    """Return the id that is meant by an id or a name."""
    names = _named_stations(path) if text else {}
    station = names.get(text, text.lower())
    if station and not (len(station) == 32 and set(station) <= set("0123456789abcdef")):
        known = f", or a name in [stations]: {', '.join(names)}" if names else ""
        raise ConfigError(f"--station = {text!r}; allowed: 32 hexadecimal digits{known}")
    return station


def _show(path: Path, drone: str) -> int:
    authority = _authority(path, drone)
    names: dict[str | None, str] = {
        **{station: f"{name} ({station})" for name, station in _named_stations(path).items()},
        authority["own_id"]: "this station",
        NOBODY.hex(): "nobody",
        None: "unknown",
    }
    holder = names.get(authority["holder_id"], authority["holder_id"])
    lost = ", lost" if authority["holder_lost"] else ""
    print(f"{drone}: in command: {holder}{lost}; epoch {authority['epoch']}")
    print(f"this station: {authority['own_id']}")
    if authority["navigation_suspect"]:
        print(
            f"NAVIGATION ALARM: the position may be false; `sekisho authority clear-alarm {drone}`"
        )
    if authority["offered"]:
        print(f"command is offered to this station: `sekisho authority accept {drone}`")
    return 0
