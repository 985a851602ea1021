"""The command `sekisho`: parse argv, run one subcommand, turn errors into exit statuses."""

import argparse
import importlib
import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from crypto.aio.files import StoreError
from sekisho.config_file import ConfigError
from sekisho.hardening import harden
from sekisho.log_format import log_to_stderr
from sekisho.runtime import EXIT_INTERRUPTED, AlreadyRunningError, OperationFailedError

# A service loads its own part only: the companion has no use for the simulator.
_MODULES: Final = {
    "demo": "sekisho.demo",
    "sim": "sekisho.sim_command",
    "channel": "sekisho.channel_command",
    "pair": "sekisho.pair",
    "keys": "sekisho.keys",
    "revoke": "sekisho.revoke",
    "drone": "sekisho.services",
    "ground": "sekisho.services",
    "status": "sekisho.status",
    "doctor": "sekisho.doctor",
    "authority": "sekisho.authority",
    "confirm": "sekisho.authority",
    "trajectory": "sekisho.trajectory",
    "console": "sekisho.console",
    "logs": "sekisho.logs",
    "signing": "sekisho.signing",
    "config": "sekisho.config_command",
}
_HANDLES_KEYS: Final = ("pair", "keys", "revoke", "drone", "ground", "logs", "signing")
EXIT_FAILED = 1
EXIT_USAGE = 2


def _version() -> str:
    try:
        return version("sekisho")
    except PackageNotFoundError:
        return "from source"


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser with one subcommand, or with all of them."""
    parser = argparse.ArgumentParser(
        prog="sekisho",
        description="A secure companion-computer stack for drones: every MAVLink frame sealed, "
        "every command checked.",
        epilog="exit status: 0 success, 1 the operation failed, 2 wrong usage or configuration, "
        "130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"sekisho {_version()}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = dict.fromkeys(_MODULES.values() if chosen is None else [_MODULES[chosen]])
    for module in modules:
        importlib.import_module(module).add_parser(subparsers)
    return parser


def _join_negative(argv: Sequence[str]) -> list[str]:
    """Join an option and a value such as ``-35.36,149.16,584,0``, which argparse takes for one."""
    joined: list[str] = []
    for word in argv:
        if re.match(r"-\d", word) and joined and re.fullmatch(r"--[\w-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    argv = _join_negative(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in argv if word in _MODULES), None)
    arguments = _parser(chosen).parse_args(argv)
    log_to_stderr(is_verbose=arguments.verbose)
    try:
        if arguments.command in _HANDLES_KEYS:
            harden()
        code: int = arguments.run(arguments)
    except (ConfigError, StoreError) as error:
        print(f"sekisho: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (AlreadyRunningError, OperationFailedError) as error:
        print(f"sekisho: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        what = error if error.filename is None else f"{error.filename}: {error.strerror}"
        print(f"sekisho: {what}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code
