"""`sekisho status`: ask running services over their local sockets."""

import argparse
import sys
import tomllib
from pathlib import Path

import msgspec

from sekisho.config_file import ConfigError
from sekisho.runtime import query, runtime_dir, socket_path
from sekisho.services import load_drone_config, load_ground_config
from sekisho.status_watch import watch


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `status`."""
    parser = subparsers.add_parser(
        "status",
        help="what a running drone or ground service counts",
        description="Print the status of the running services of this user, or of the one that "
        "runs with a given configuration.",
        epilog="example: sekisho status --config drone.toml --json",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="drone.toml or ground.toml")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON object per service")
    how.add_argument(
        "--watch", action="store_true", help="alarms and links, again each second, until Ctrl-C"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the status; exit 1 if no service answers."""
    config = arguments.config
    path = None if config is None else _socket_of(config)
    if arguments.watch:
        return watch(lambda: _answers(path))
    answers = _answers(path)
    if not answers:
        whose = f" with {config}" if config else ""
        print(
            f"sekisho: no service is running{whose}; start `sekisho drone` or `sekisho ground`",
            file=sys.stderr,
        )
        return 1
    for answer in answers:
        print(answer.decode() if arguments.json else _readable(answer))
    return 0


def _answers(path: Path | None) -> list[bytes]:
    """Return what the service at `path` answers, or all of this user's."""
    answers = []
    for each in [path] if path is not None else sorted(runtime_dir().glob("*.sock")):
        try:
            answers.append(query(each))
        except OSError:
            continue
    return answers


def _socket_of(config: Path) -> Path:
    try:
        is_ground = "drone" in tomllib.loads(config.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{config}: {error}") from None
    if is_ground:
        return socket_path("ground", load_ground_config(config).state_dir)
    return socket_path("drone", load_drone_config(config).state_dir)


def _readable(answer: bytes) -> str:
    """Lay the object out as indented ``key: value`` lines."""
    lines: list[str] = []

    def add(value: object, depth: int) -> None:
        assert isinstance(value, dict)
        for key, item in value.items():
            if isinstance(item, dict) and item:
                lines.append(f"{'  ' * depth}{key}:")
                add(item, depth + 1)
            else:
                shown = f"{item:.2f}" if isinstance(item, float) else item if item != {} else "none"
                lines.append(f"{'  ' * depth}{key}: {'-' if shown is None else shown}")

    add(msgspec.json.decode(answer), 0)
    return "\n".join(lines)
