"""`sekisho pair`: make the keys that a drone and a ground station share."""

import argparse
import os
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio.files import StoreError, check_name
from crypto.aio.log_keys import PUBLIC_KEY_NAME, install_recipient, save_log_keys
from crypto.pair import PairNames, Role, pair_in_lab
from crypto.primitives import KEY_BYTES, XWingKeyPair
from crypto.suites import CHACHA, SUITES
from sekisho import pair_physical
from sekisho.pair_guard import check_room
from sekisho.unlock import add_source_options, open_store, source_of

LAB_LOG_KEYS: Final = "log-keys"  # where the ground keeps the key that opens recordings


class LabReport(msgspec.Struct):
    """What was written, for ``--json``."""

    ok: bool
    name: str
    role: str
    drone_record: str
    ground_record: str


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `pair drone`, `pair ground` and `pair lab`."""
    parser = subparsers.add_parser("pair", help="pair a drone with a ground station")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    pair_physical.add_parsers(kinds)
    lab = kinds.add_parser(
        "lab",
        help="for development: make both ends' keys in one place",
        description="Write the pair records of both ends. For development only: whoever runs "
        "this sees the secrets of both.",
        epilog="example: sekisho pair lab --drone-dir state/drone --ground-dir state/ground "
        "--name tsubame-1",
    )
    lab.add_argument("--drone-dir", type=Path, required=True, metavar="D")
    lab.add_argument("--ground-dir", type=Path, required=True, metavar="G")
    lab.add_argument("--name", required=True, help="what the ground calls the drone")
    lab.add_argument("--role", choices=[role.value for role in Role], default=Role.COMMANDER.value)
    lab.add_argument(
        "--suite",
        choices=[suite.name for suite in SUITES.values()],
        default=CHACHA.name,
        help="cipher and hash of this pair for good (default: %(default)s)",
    )
    lab.add_argument("--replace", action="store_true", help="replace an existing pairing")
    add_source_options(lab)
    lab.add_argument("--json", action="store_true")
    lab.set_defaults(run=run_lab)


def run_lab(arguments: argparse.Namespace) -> int:
    """Pair both ends at once."""
    name = check_name(arguments.name)
    drone_store = open_store(arguments.drone_dir, source_of(arguments))
    ground_store = open_store(arguments.ground_dir, source_of(arguments))
    drone = drone_store.load_or_create_identity(os.urandom)
    ground = ground_store.load_or_create_identity(os.urandom)
    ground_name = f"ground-{ground.device_id[:4].hex()}"
    drone_path = drone_store.pair_path(ground_name)
    ground_path = ground_store.pair_path(name)
    for path in (drone_path, ground_path):
        if path.exists() and not arguments.replace:
            raise StoreError(f"{path}: already paired; add --replace to make new keys")
    check_room(drone_store, ground_name)
    names = PairNames(drone=name, ground=ground_name, role=Role(arguments.role))
    suite = next(s for s in SUITES.values() if s.name == arguments.suite)
    _let_record(drone_store.directory, ground_store.directory)
    granted = drone_store.load_revocations().serial
    for_drone, for_ground = pair_in_lab(drone, ground, names, os.urandom, suite, granted)
    drone_store.save_pair(for_drone)
    ground_store.save_pair(for_ground)
    if arguments.json:
        report = LabReport(
            ok=True,
            name=name,
            role=arguments.role,
            drone_record=str(drone_path),
            ground_record=str(ground_path),
        )
        print(msgspec.json.encode(report).decode())
    else:
        print(f"paired {name} ({arguments.role})\n  drone:  {drone_path}\n  ground: {ground_path}")
    return 0


def _let_record(drone: Path, ground: Path) -> None:
    """Give both a key to seal recordings to, unless they have one."""
    without = [end for end in (drone, ground) if not (end / PUBLIC_KEY_NAME).exists()]
    if not without:
        return
    keys = ground / LAB_LOG_KEYS
    if not (keys / PUBLIC_KEY_NAME).exists():
        save_log_keys(keys, XWingKeyPair(os.urandom(KEY_BYTES)))
    for end in without:
        install_recipient(keys / PUBLIC_KEY_NAME, end)
