"""`sekisho trajectory`: fly one that was planned, through the running gateway."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.authority import add_config_option, find_gateway
from sekisho.config_file import ConfigError
from sekisho.runtime import query
from sekisho.trajectory_commands import add_planning
from sekisho.trajectory_plan import describe
from wire.trajectory import MAX_BYTES, MalformedTrajectoryError, decode_untrusted, identity_of

_POLL_S: Final = 0.2
_ANSWER_S: Final = 8.0
_UPLOAD_S: Final = 420.0  # three sessions, and the judgement
_VERBS: Final = {
    "start": "fly the trajectory that is aboard: first to where it begins, then along it",
    "pause": "stop on the way and hold",
    "resume": "fly on",
    "abort": "stop, and steer no more",
    "clear": "forget the trajectory that is aboard",
}
_ANSWERS: Final = {
    "done": "done",
    "not_holder": "this station is not in command",
    "not_allowed": "the role of this station does not allow it",
    "stale": "the link is too slow or held up: the drone got it too late",
    "none": "the drone did not answer",
}
_ENDED: Final = frozenset(("finished", "handed_back", "empty"))


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `trajectory`."""
    parser = subparsers.add_parser(
        "trajectory",
        help="plan a flight on the ground and let the companion fly it",
        description="Plan a trajectory (survey, orbit, line, through, lemniscate), bring it to a "
        "drone and fly it. The drone takes only what keeps its fence and its limits; any mode "
        "change, setpoint or lost link ends it.",
        epilog="example: sekisho trajectory survey field.plan --altitude 30 --spacing 12 "
        "--out field.traj && sekisho trajectory upload tsubame-1 field.traj && "
        "sekisho trajectory start tsubame-1 --wait",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_planning(verbs)
    show = verbs.add_parser(
        "show",
        help="how long, fast and high a planned trajectory is",
        description="Say how long, fast and high a planned trajectory is.",
        epilog="example: sekisho trajectory show field.traj --json",
    )
    show.add_argument("file", type=Path, help="as --out wrote it")
    show.add_argument("--json", action="store_true", help="one JSON object")
    show.set_defaults(run=run_show)
    upload = verbs.add_parser(
        "upload",
        help="bring a planned trajectory to a drone, which judges it",
        description="Bring a planned trajectory to a drone and wait for its verdict. Nothing is "
        "flown before `start`.",
        epilog="example: sekisho trajectory upload tsubame-1 field.traj",
    )
    _add_drone(upload)
    upload.add_argument("file", type=Path, help="as --out wrote it")
    upload.set_defaults(run=run_upload)
    for name, text in _VERBS.items():
        verb = verbs.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example: sekisho trajectory {name} tsubame-1",
        )
        _add_drone(verb)
        if name in ("start", "resume"):
            verb.add_argument(
                "--wait", action="store_true", help="until it is flown; exit 1 if it is not"
            )
        verb.set_defaults(run=run_verb)
    status = verbs.add_parser(
        "status",
        help="how the trajectory of a drone stands",
        description="Say how the trajectory of a drone stands, and how old that word is.",
        epilog="example: sekisho trajectory status tsubame-1 --json",
    )
    _add_drone(status)
    status.add_argument("--wait", action="store_true", help="until nothing is being flown")
    status.set_defaults(run=run_status)


def run_show(arguments: argparse.Namespace) -> int:
    """Describe a file."""
    data = _read(arguments.file)
    plan = describe(decode_untrusted(data), data)
    print(plan.as_json() if arguments.json else plan.in_words())
    return 0


def run_upload(arguments: argparse.Namespace) -> int:
    """Bring a file, and wait for the verdict."""
    data = _read(arguments.file)
    path = find_gateway(arguments.config)
    before = _trajectory(path, arguments.drone)["chunks_sent"]
    _ask(path, arguments.drone, "upload", document=data)
    identity = identity_of(data).hex()
    until, shown = time.monotonic() + _UPLOAD_S, before
    while time.monotonic() < until:
        told = _trajectory(path, arguments.drone)
        if told["upload_identity"] != identity:
            print("sekisho: another upload has taken its place", file=sys.stderr)
            return 1
        if told["upload"] not in ("sending", "judging"):
            return _say_upload(arguments, told)
        if told["chunks_sent"] != shown and sys.stderr.isatty():
            shown = told["chunks_sent"]
            print(f"\r{shown} of {told['chunks']} chunks ", end="", file=sys.stderr, flush=True)
        time.sleep(_POLL_S)
    print(f"sekisho: {arguments.drone}: {_ANSWERS['none']}", file=sys.stderr)
    return 1


def run_verb(arguments: argparse.Namespace) -> int:
    """Ask, wait for the answer, say it."""
    path = find_gateway(arguments.config)
    drone = arguments.drone
    identity = _trajectory(path, drone)["identity"] or ""
    if arguments.verb == "start" and not identity:
        upload = f"sekisho trajectory upload {drone} FILE"
        print(f"sekisho: {drone}: no trajectory is aboard: `{upload}`", file=sys.stderr)
        return 1
    _ask(path, drone, arguments.verb, identity if arguments.verb == "start" else "")
    until = time.monotonic() + _ANSWER_S
    answer, told = "waiting", _trajectory(path, drone)
    while answer == "waiting" and time.monotonic() < until:
        time.sleep(_POLL_S)
        told = _trajectory(path, drone)
        answer = told["answer"]
    text = f"refused: {told['text']}" if answer == "refused" else _ANSWERS.get(answer, answer)
    if answer != "done":
        _say(arguments, told, f"{drone}: {text}")
        return 1
    if getattr(arguments, "wait", False):
        return _wait(arguments, path, identity)
    _say(arguments, told, f"{drone}: {text}")
    return 0


def run_status(arguments: argparse.Namespace) -> int:
    """Say how things stand."""
    path = find_gateway(arguments.config)
    told = _trajectory(path, arguments.drone)
    if arguments.wait:
        return _wait(arguments, path, told["identity"])
    _say(arguments, told, f"{arguments.drone}: {_in_words(told)}")
    return 0


def _wait(arguments: argparse.Namespace, path: Path, identity: str | None) -> int:
    """Wait until nothing is being flown; tell whether it was flown to its end."""
    shown = ""
    while True:
        told = _trajectory(path, arguments.drone)
        if told["state"] in _ENDED or told["identity"] != identity:
            _say(arguments, told, f"{arguments.drone}: {_in_words(told)}")
            return 0 if told["state"] == "finished" else 1
        if _in_words(told) != shown and sys.stderr.isatty():
            shown = _in_words(told)
            print(f"\r\x1b[K{shown}", end="", file=sys.stderr, flush=True)
        time.sleep(_POLL_S)


def _in_words(told: dict[str, Any]) -> str:
    if told["age_s"] is None:
        return "the drone has said nothing of a trajectory"
    words = told["state"].replace("_", " ")
    if told["identity"]:
        words += f", {told['identity']}, {told['elapsed_s']:.1f} of {told['duration_s']:.1f} s"
    if told["error_m"] is not None:
        words += f", {told['error_m']:.2f} m off"
    if told["text"]:
        words += f": {told['text']}"
    return f"{words} ({told['age_s']:.0f} s ago)"


def _say(arguments: argparse.Namespace, told: dict[str, Any], text: str) -> None:
    print(msgspec.json.encode(told).decode() if arguments.json else text)


def _say_upload(arguments: argparse.Namespace, told: dict[str, Any]) -> int:
    if sys.stderr.isatty():
        print(file=sys.stderr)
    is_aboard = told["upload"] == "loaded"
    aboard = f"aboard as {told['upload_identity']}, {told['duration_s']:.1f} s"
    text = aboard if is_aboard else f"{told['upload']}: {told['text']}"
    _say(arguments, told, f"{arguments.drone}: {text}")
    return 0 if is_aboard else 1


def _add_drone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("drone", help="the drone's name in ground.toml")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_config_option(parser)


def _read(path: Path) -> bytes:
    """Return a document's bytes.

    Raises:
        ConfigError: The file holds none.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        decode_untrusted(data)
    except MalformedTrajectoryError as error:
        raise ConfigError(f"{path}: no trajectory: {error}") from None
    return data


def _ask(path: Path, drone: str, do: str, value: str = "", document: bytes = b"") -> None:
    """Hand a request to the gateway.

    Raises:
        ConfigError: It takes no such request.
    """
    request = {"drone": drone, "do": f"fly_{do}", "value": value, "document": document}
    answer = query(path, msgspec.json.encode(request) + b"\n").decode()
    if answer != "sent":
        raise ConfigError(answer)


def _trajectory(path: Path, drone: str) -> dict[str, Any]:
    peers = msgspec.json.decode(query(path))["peers"]
    if drone not in peers:
        raise ConfigError(f"no drone {drone!r} here; known: {', '.join(peers)}")
    told: dict[str, Any] = peers[drone]["trajectory"]
    return told
