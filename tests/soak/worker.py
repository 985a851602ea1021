"""A process that writes state as the services do, saying before each write what, and after it that.

It is killed anywhere. What stands on disk afterwards must be what was said last, or what was about
to be written; `Word` is how it says so.
"""

import os
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import msgspec

from crypto.aio.log_files import LogFile, LogOrigin, SyncPolicy
from crypto.aio.store import Store
from crypto.pair import PairNames, PairRecord, Role, pair_in_lab
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.revocation import Authority
from crypto.sealed_log import LogContent
from crypto.vault import KeyFile, Vault
from flightcore.aio.service import load_authority, save
from flightcore.custody import AcceptedList

NAMES = PairNames("tsubame-1", "station-a", Role.COMMANDER)
SECRET = KeyFile(bytes(range(32)))
LOG_KEY = XWingKeyPair(bytes(range(32)))
LOG_SIGNER = Ed25519(bytes(range(32)))
FLEET = Authority(bytes(64))


class Word(NamedTuple):
    """What is about to be on disk, or (`is_done`) is: of which thing, and what exactly."""

    thing: str
    value: str
    is_done: bool


def opened(directory: Path) -> Store:
    """Open a state directory, sealed or plain."""
    header = Store(directory).secrets.load_header()
    return Store(directory, None if header is None else Vault.unlock(header, SECRET))


def shown(record: PairRecord) -> str:
    return msgspec.json.encode(record).decode()


def chunk(number: int) -> bytes:
    return b"%d " % number * (1 + number * 37 % 700)


class Worker:
    """Writes for ever, into the directories of a drone and of its ground station."""

    def __init__(self, directory: Path, out: Connection) -> None:
        self._out = out
        self._drone, self._ground = opened(directory / "drone"), opened(directory / "ground")
        count = self._boot()
        origin = LogOrigin(LOG_KEY.public, LOG_SIGNER, bytes(16), count)
        log = LogFile.create(
            directory / "logs", LogContent.EVENTS, origin, SyncPolicy(1, 0), os.urandom
        )
        assert isinstance(log, LogFile)
        self._log = log

    def run(self, seed: int) -> None:
        steps = (self._authority, self._ratchet, self._pair, self._revoke, self._boot)
        draw = random.Random(seed)
        while True:
            draw.choice(steps)()
            self._record()

    def _tell(self, thing: str, value: str, act: Callable[[], object]) -> None:
        for is_done in (False, True):
            self._out.send(Word(thing, value, is_done))
            if not is_done:
                act()

    def _boot(self) -> int:
        path = self._drone.directory / "boot_count"
        following = int(path.read_text()) + 1 if path.exists() else 1
        self._tell("boot", str(following), self._drone.next_boot_count)
        return following

    def _authority(self) -> None:
        state = load_authority(self._drone)
        holder = os.urandom(16)
        state = msgspec.structs.replace(state, epoch=state.epoch + 1, holder=holder)
        value = f"{state.epoch} {holder.hex()}"
        self._tell("authority", value, lambda: save(self._drone, state))

    def _ratchet(self) -> None:
        record = self._drone.load_pairs()[0]
        offered = record.with_next(os.urandom(32))
        self._tell("drone", shown(offered), lambda: save(self._drone, offered))
        psk = offered.next_psk
        assert psk is not None
        done = offered.promoted(psk)
        self._tell("drone", shown(done), lambda: save(self._drone, done))

    def _pair(self) -> None:
        ends = [store.load_or_create_identity(os.urandom) for store in (self._drone, self._ground)]
        aboard, below = pair_in_lab(*ends, NAMES, os.urandom)
        # The drone writes first, and says so: never has the ground a record that it has not.
        self._tell("drone", shown(aboard), lambda: self._drone.save_pair(aboard))
        self._tell("ground", shown(below), lambda: self._ground.save_pair(below))

    def _revoke(self) -> None:
        following = self._drone.load_revocations().extended([os.urandom(1) * 16])
        signed = FLEET.sign(following)
        accepted = AcceptedList(following, signed)
        self._tell("revocations", str(following.serial), lambda: save(self._drone, accepted))

    def _record(self) -> None:
        log = self._log
        name = log.path.name

        def append() -> None:
            assert log.append(chunk(log.chunks), time.monotonic_ns()) is None

        self._tell("log", f"{name} {log.chunks + 1}", append)


def work(directory: Path, out: Connection, seed: int) -> None:
    """Be the process."""
    Worker(directory, out).run(seed)
