"""kill -9 at random points: what was acknowledged is there, nothing comes twice, all starts again.

Many kills hit a light process that does nothing but the real writes (`tests.soak.worker`); some hit
the whole `sekisho drone` and `sekisho ground`, on their way to a link and through a ratchet.
"""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from crypto.aio.log_files import list_logs, pieces
from crypto.aio.store import Store
from crypto.aio.wrapping import wrap
from crypto.log_chain import Known, LogState
from crypto.log_reader import open_sealed_log
from crypto.pair import pair_in_lab
from crypto.vault import Vault
from flightcore.aio.service import load_authority
from tests.e2e.between import BenchAutopilot, LinkProxy
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME, Stack
from tests.e2e.vehicles import Line
from tests.soak import worker
from tests.soak.worker import FLEET, LOG_KEY, LOG_SIGNER, NAMES, Word, opened, shown

Progress = Callable[[str], None]


class Soak:
    """Two state directories that live through all the kills, one plain and one sealed."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._draw = random.Random(seed)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([worker.__name__])
        self._places = [_Place(directory / "plain"), _Place(directory / "sealed")]
        for store in (self._places[1].drone, self._places[1].ground):
            wrap(store.directory, Vault.create(worker.SECRET, os.urandom))
        self.hits: Counter[str] = Counter()

    def run(self, times: int, progress: Progress) -> None:
        """Kill so many processes, and look at what each left."""
        begun = time.monotonic()
        for number in range(times):
            place = self._places[number % 2]
            self.hits[place.killed(self._start(place, number), self._draw)] += 1
            if (number + 1) % 100 == 0 or number + 1 == times:
                took = time.monotonic() - begun
                progress(f"{number + 1} kills in {took:.0f} s, killed during: {dict(self.hits)}")

    def _start(self, place: "_Place", seed: int) -> "_Child":
        reading, writing = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=worker.work, args=(place.directory, writing, seed), daemon=True
        )
        process.start()
        writing.close()
        return _Child(process, reading)


class _Child:
    def __init__(self, process: multiprocessing.Process, words: Connection) -> None:
        self._process = process
        self._words = words

    def kill_after(self, words: int, pause_s: float) -> list[Word]:
        """Kill it a moment after it has said so much; return all that it said."""
        said = [self._words.recv() for _ in range(words)]
        time.sleep(pause_s)
        self._process.kill()
        self._process.join(10)
        assert self._process.exitcode == -signal.SIGKILL, "it ended by itself"
        while True:
            try:
                said.append(self._words.recv())
            except EOFError:
                self._words.close()
                return said


class _Place:
    """One directory, and what must be in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.drone, self.ground = Store(directory / "drone"), Store(directory / "ground")
        ends = [store.load_or_create_identity(os.urandom) for store in (self.drone, self.ground)]
        aboard, below = pair_in_lab(*ends, NAMES, os.urandom)
        self.drone.save_pair(aboard)
        self.ground.save_pair(below)
        self.drone.save_authority(FLEET.public)
        self._identities = ends
        self._chunks: dict[str, int] = {}  # of each recording, as acknowledged
        self._stands = {"drone": shown(aboard), "ground": shown(below)}
        self._seen: dict[str, set[str]] = {"boot": set(), "authority": set(), "drone": set()}
        self._last = {"boot": 0, "authority": 0, "revocations": 0}

    def killed(self, child: _Child, draw: random.Random) -> str:
        """Kill a process at work here and look at what is left; return what it was doing."""
        pause_s = draw.choice([0, 0.0005, 0.002, 0.005]) * draw.random()
        said = child.kill_after(draw.randint(1, 24), pause_s)
        about_to: Word | None = None
        for word in said:
            about_to = None if word.is_done else word
            if word.is_done and word.thing == "log":
                name, chunks = word.value.split()
                self._chunks[name] = int(chunks)
            elif word.is_done:
                self._acknowledged(word)
        found = self._found()
        for thing, value in found.items():
            allowed = {self._stands.get(thing)}
            if about_to is not None and about_to.thing == thing:
                allowed.add(about_to.value)
            assert value in allowed, (thing, value, allowed)
            if value is not None and value != self._stands.get(thing):
                self._acknowledged(Word(thing, value, is_done=True))
        if about_to is not None and about_to.thing == "log":
            self._chunks[about_to.value.split()[0]] = self._check_log(may_have_more=True)
        else:
            self._check_log(may_have_more=False)
        return "nothing" if about_to is None else about_to.thing

    def _acknowledged(self, word: Word) -> None:
        """What counts goes forward by one; what is drawn never comes twice."""
        if word.thing in self._last:
            number = int(word.value.split()[0])
            assert number == self._last[word.thing] + 1, word
            self._last[word.thing] = number
        if word.thing in self._seen:
            assert word.value not in self._seen[word.thing], word
            self._seen[word.thing].add(word.value)
        self._stands[word.thing] = word.value

    def _found(self) -> dict[str, str | None]:
        """Read everything as a service that starts does."""
        drone, ground = opened(self.directory / "drone"), opened(self.directory / "ground")
        assert [s.load_or_create_identity(os.urandom) for s in (drone, ground)] == self._identities
        state = load_authority(drone)
        boot, serial = drone.directory / "boot_count", drone.load_revocations().serial
        return {
            "drone": shown(drone.load_pair(NAMES.ground)),
            "ground": shown(ground.load_pair(NAMES.drone)),
            "authority": f"{state.epoch} {state.holder.hex()}" if state.epoch else None,
            "boot": str(int(boot.read_text())) if boot.exists() else None,
            "revocations": str(serial) if serial else None,
        }

    def _check_log(self, *, may_have_more: bool) -> int:
        """The last recording opens up to what was acknowledged; return how many chunks it has."""
        for path in list_logs(self.directory / "logs")[-1:]:
            data = b"".join(pieces(path))
            chunks, verdict = open_sealed_log(LOG_KEY, data, Known(LOG_SIGNER.public, b""))
            synced = self._chunks.get(path.name, 0)
            assert verdict.state is LogState.CUT_SHORT or not chunks, (path, verdict)
            assert synced <= len(chunks) <= synced + may_have_more, (path, synced, len(chunks))
            assert [c.data for c in chunks] == [worker.chunk(n) for n in range(len(chunks))]
            return len(chunks)
        return 0


def _is_met(stack: Stack, boots: int) -> bool:
    peer = stack.status("ground")["peers"][NAME]
    return peer["state"] == "live" and peer["drone_boot_count"] == boots


def kill_services(directory: Path, times: int, seed: int, progress: Progress) -> None:
    """Kill the drone and the ground by turns; they meet again, and nothing goes back or twice.

    Everything on the air is kept: a datagram that comes twice would be a nonce used twice.
    """
    draw = random.Random(seed)
    line, proxy = Line(), LinkProxy()
    stack = Stack(directory, line.device, proxy.port)
    proxy.drone_port = stack.link_port
    boots, keys, epoch = 0, 0, 0
    try:
        with BenchAutopilot(line):
            stack.start()
            for number in range(times):
                victim = ("drone", "ground")[number % 2]
                time.sleep(draw.uniform(0, 1.2))
                stack.stop(victim, number=signal.SIGKILL)
                record = Store(stack.drone_state).load_pairs()[0]
                assert record.psk_generation >= keys
                keys = record.psk_generation
                stack.start(victim)
                counted = int((stack.drone_state / "boot_count").read_text())
                assert counted == boots + (victim == "drone") or number == 0
                boots = counted
                wait_until(lambda boots=boots: _is_met(stack, boots), 20, "they meet again")
                now = stack.status("drone")["authority"]["epoch"]
                assert now >= epoch
                epoch = now
                if (number + 1) % 10 == 0 or number + 1 == times:
                    progress(f"{number + 1} kills of services; boots {boots}, psk {keys}")
        datagrams = Counter(taken.datagram for taken in proxy.captured)
        assert len(datagrams) > 20 * times
        twice = [datagram for datagram, count in datagrams.items() if count > 1]
        assert twice == [], "the same sealed bytes twice: a nonce was used again"
        progress(f"{len(datagrams)} datagrams on the air, none twice")
    except BaseException:
        progress(stack.report())
        raise
    finally:
        stack.stop()
        proxy.close()
        line.close()
