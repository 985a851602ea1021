"""`sekisho logs erase`: destroy the keys of a state directory, or all of it."""

import argparse
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio import erasing
from crypto.aio.files import StoreError, private_directory
from sekisho.runtime import (
    AlreadyRunningError,
    OperationFailedError,
    holding,
    query,
    socket_path,
)
from sekisho.services import load_drone_config
from sekisho.unlock import confirm

_KINDS: Final = ("drone", "ground")
_STOP_S: Final = 5.0
_PAUSE_S: Final = 0.02
_WORD: Final = "erase"


class EraseReport(msgspec.Struct):
    """What was destroyed; `ok` is False if something was left."""

    ok: bool
    state_dir: str
    everything: bool
    files: int
    seconds: float
    left: list[str]


def add_erase(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `logs erase`."""
    parser = verbs.add_parser(
        "erase",
        help="destroy the keys of a state directory, or all of it",
        description="Destroy this device's keys, pairs, authority, counters and drafts of plans: "
        "nothing that was sealed under them opens again, and it must be paired anew. Recordings "
        "stay, sealed to "
        "their offline key, unless --all is given: then the directory is as on the first day. "
        "Killed or without power, it is completed at the next start of anything that opens the "
        "directory.",
        epilog="example: sekisho logs erase --config drone.toml --all",
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--config", type=Path, metavar="drone.toml")
    place.add_argument("--state-dir", type=Path, metavar="D")
    parser.add_argument("--all", action="store_true", help="recordings too: back to factory state")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--force",
        action="store_true",
        help="end a service that runs on it, at once, in the air too",
    )
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run_erase)


def run_erase(arguments: argparse.Namespace) -> int:
    """Destroy, then look whether anything is left."""
    directory, logs = _place(arguments)
    with private_directory(directory):
        pass
    if not erasing.is_state_directory(directory):
        raise StoreError(f"{directory}: holds no keys; nothing was changed")
    what = "ALL of it, recordings too" if arguments.all else "all keys"
    confirm(f"{directory}: destroy {what}?", agreed=arguments.yes, word=_WORD)
    started_s = time.monotonic()
    if arguments.force:
        erasing.announce(directory, logs, everything=arguments.all)
        _end_services(directory)
    with _unused(directory):
        if not arguments.force:
            erasing.announce(directory, logs, everything=arguments.all)
        erased = erasing.complete(directory)
    report = EraseReport(
        ok=not erased.left,
        state_dir=str(directory),
        everything=arguments.all,
        files=erased.files,
        seconds=round(time.monotonic() - started_s, 3),
        left=[str(path) for path in erased.left],
    )
    if arguments.json:
        print(msgspec.json.encode(report).decode())
    else:
        print(f"{directory}: {report.files} files destroyed in {report.seconds:.2f} s")
    if report.left and not arguments.json:
        raise OperationFailedError(f"not Sekisho's, and left alone: {', '.join(report.left)}")
    return 0 if report.ok else 1


def _place(arguments: argparse.Namespace) -> tuple[Path, Path]:
    if arguments.config is None:
        return arguments.state_dir, arguments.state_dir / "logs"
    config = load_drone_config(arguments.config)
    return config.state_dir, config.logs_dir


def _end_services(directory: Path) -> None:
    """Kill what holds these keys in memory: it could write them again."""
    for kind in _KINDS:
        with contextlib.suppress(OSError, ProcessLookupError):
            answer = msgspec.json.decode(query(socket_path(kind, directory)))
            os.kill(int(answer["pid"]), signal.SIGKILL)


@contextlib.contextmanager
def _unused(directory: Path) -> Iterator[None]:
    """Keep services off; one that was just killed takes a moment to be gone."""
    end_s = time.monotonic() + _STOP_S
    with contextlib.ExitStack() as held:
        for kind in _KINDS:
            while True:
                try:
                    held.enter_context(holding(kind, directory))
                    break
                except AlreadyRunningError:
                    if not erasing.is_pending(directory) or time.monotonic() > end_s:
                        raise
                    time.sleep(_PAUSE_S)
        yield
