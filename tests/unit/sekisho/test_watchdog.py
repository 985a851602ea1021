"""The watchdog is fed while the service works, and only then; the manager's socket is a real one.

Mutants killed: fed although something is stuck; fed once only; READY again with every beat; the
abstract address used as a path; WATCHDOG_PID ignored; the variables left in the environment; late
beats not noticed; STATUS repeated although nothing changed; a full queue waited for; READY said
once though it did not get through.
"""

import asyncio
import contextlib
import os
import socket
import time

import pytest

from sekisho.notify import ServiceManager
from sekisho.watchdog import Watchdog


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    """A service manager's socket: what the service says arrives here."""
    name = f"sekisho-test-{os.getpid()}-{time.monotonic_ns()}"
    address = str(tmp_path / "notify") if request.param == "path" else f"\0{name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(0)
        address = address.replace("\0", "@")
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield Manager(listener, address)


class Manager:
    def __init__(self, listener, address):
        self.address = address
        self._listener = listener
        self._said = []

    def read(self):
        """Make room in the queue, which takes ten datagrams."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._said += self._listener.recv(4096).decode().split("\n")

    def close(self):
        self._listener.close()

    def heard(self):
        self.read()
        said, self._said = self._said, []
        return said


def test_without_a_manager_nothing_is_said(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    manager = ServiceManager()
    assert not manager.listens
    assert manager.patience_s is None
    manager.tell("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "patience_s"),
    [("3000000", "own", 3.0), ("3000000", None, 3.0), ("3000000", "1", None), ("x", "own", None)],
)
def test_patience_is_what_the_manager_says_to_this_process(
    usec, pid, patience_s, monkeypatch, manager
):
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert ServiceManager().patience_s == patience_s
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)


def test_a_manager_that_has_gone_or_does_not_read_holds_nothing_up(manager):
    told = ServiceManager()
    begin = time.monotonic()
    while told.tell("WATCHDOG=1"):  # until the queue is full
        pass
    manager.heard()
    assert told.tell("WATCHDOG=1")
    manager.close()
    assert not told.tell("WATCHDOG=1")
    assert time.monotonic() - begin < 2


def beat(monkeypatch, manager, check, seconds=0.35, meanwhile=lambda: None):
    """Run a watchdog whose manager waits 0.2 s."""
    monkeypatch.setenv("WATCHDOG_USEC", "200000")

    async def main():
        watchdog = Watchdog(ServiceManager(), check, lambda: "all is well")
        watchdog.start()
        await asyncio.sleep(0.06)
        meanwhile()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            manager.read()
            await asyncio.sleep(0.01)
        watchdog.stop()
        return watchdog

    return asyncio.run(main())


def test_it_is_fed_well_within_the_patience(monkeypatch, manager):
    beat(monkeypatch, manager, lambda: None)
    said = manager.heard()
    assert said[:3] == ["READY=1", "STATUS=all is well", "WATCHDOG=1"]
    assert said[-2:] == ["STOPPING=1", "STATUS=stopping"]
    assert 6 <= said.count("WATCHDOG=1") <= 9
    assert said.count("READY=1") == 1
    assert said.count("STATUS=all is well") == 1


def test_it_is_not_fed_while_something_is_stuck(monkeypatch, manager, caplog):
    answers = iter([None, "the line", "the line", None] + [None] * 20)
    beat(monkeypatch, manager, lambda: next(answers), 0.2)
    said = manager.heard()
    fed = ["STATUS=all is well", "WATCHDOG=1"]
    assert said[:6] == ["READY=1", *fed, "STATUS=stuck: the line", *fed]
    assert caplog.text.count("stuck: the line; the watchdog is fed no more") == 1


def test_a_loop_that_hangs_feeds_nothing_and_is_seen_to_be_late(monkeypatch, manager):
    fed = []

    def hang():
        manager.heard()
        time.sleep(0.3)
        fed.extend(manager.heard())

    watchdog = beat(monkeypatch, manager, lambda: None, 0.1, hang)
    assert fed == []
    assert 0.2 < watchdog.late_s < 1


def test_ready_is_said_again_until_the_manager_has_room(monkeypatch, manager):
    while ServiceManager().tell("STATUS=someone else"):
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    beat(monkeypatch, manager, lambda: None, 0.2)
    said = manager.heard()
    assert said.count("READY=1") == 1
    assert said.index("READY=1") > 0
