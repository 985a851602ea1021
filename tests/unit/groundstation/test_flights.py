"""Recorded flights at the console: what a page may ask for, and what the disk answers.

Mutants that died here: a name that was never listed is opened; a viewer's request reaches a drone;
a cut file is called whole; the events of another drone are shown; without the key an error instead
of the list.
"""

import json

import pytest

from crypto.aio.files import StoreError
from crypto.aio.log_files import LogFile, LogOrigin, SyncPolicy
from crypto.aio.log_keys import save_log_keys
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent
from groundstation.aio.flights import Library
from groundstation.flights import Flights, FlightsView
from groundstation.talk import NotUnderstoodError, parse_untrusted
from tests.unit.groundstation.test_replay import FLIGHT, recording
from wire.trail import Event, Topic, Trail, encode_lines

KEY = XWingKeyPair(bytes(range(32)))
ORIGIN = LogOrigin(KEY.public, Ed25519(bytes(range(32))), bytes(16), 1)
S = 10**9


@pytest.fixture
def key(tmp_path):
    return save_log_keys(tmp_path / "keys", KEY)[0]


@pytest.fixture
def write(tmp_path, random_bytes):
    def write(directory, content, *chunks):
        where = tmp_path / "logs" / directory
        log = LogFile.create(where, content, ORIGIN, SyncPolicy(1, 1), random_bytes)
        for chunk in chunks:
            log.append(chunk, 0)
        log.close()
        return log.path

    return write


@pytest.fixture
def logs(tmp_path, write):
    """Two flights of one drone, the second cut short; one from aboard; events of two drones."""
    tlog = FLIGHT.read_bytes()
    cut = 8 + 12 + tlog[9]
    write("flights-a", LogContent.TLOG, tlog[:cut], tlog[cut:])
    second = write("flights-a", LogContent.TLOG, tlog[:cut], tlog[cut:])
    second.write_bytes(second.read_bytes()[:-100])
    write("flights", LogContent.TLOG, tlog[:cut])
    trail = Trail()
    us = int.from_bytes(tlog[:8], "big")
    trail.add(Event(Topic.ORDER, "long ago", drone="a"), 0)
    for drone, text in (("a", "lost: mine"), ("b", "lost: another's")):
        trail.add(Event(Topic.LINK, text, drone=drone), us * 1000 + S)
    write("audit", LogContent.EVENTS, encode_lines(trail.outgoing(), 0))
    return tmp_path / "logs"


def ask(do, **fields):
    return Flights(id=1, saw=0, do=do, **fields)


def test_the_list(logs, key):
    rows, note = Library(logs, key).rows(frozenset({str(logs / "flights/0000000001.slog")}))
    assert note == ""
    told = {(row.name, row.drone, row.where, row.state, row.is_open) for row in rows}
    assert told == {
        ("flights-a/0000000001.slog", "a", "ground", "clean", False),
        ("flights-a/0000000002.slog", "a", "ground", "cut short", False),
        ("flights/0000000001.slog", "", "aboard", "clean", True),
    }
    begun = {row.begun_ms for row in rows}
    assert begun == {int.from_bytes(FLIGHT.read_bytes()[:8], "big") // 1000}


def test_without_the_key_it_is_listed_and_not_opened(logs, tmp_path):
    library = Library(logs, tmp_path / "stick/log-private.key")
    rows, note = library.rows(frozenset())
    assert len(rows) == 3
    assert "log-private.key" in note
    assert {row.begun_ms for row in rows} == {None}
    with pytest.raises(StoreError, match=r"log-private\.key"):
        library.open("flights-a/0000000001.slog")
    # The key comes with a stick: it is looked for each time.
    save_log_keys(tmp_path / "stick", KEY)
    assert library.rows(frozenset())[1] == ""
    assert library.open("flights-a/0000000001.slog").flight.frames > 1000


def test_opened_with_its_own_events(logs, key):
    opened = Library(logs, key).open("flights-a/0000000001.slog")
    assert opened.title.drone == "a"
    assert opened.title.level == 1
    texts = [happening.text for happening in opened.flight.happenings]
    assert "lost: mine" in texts
    assert "lost: another's" not in texts
    assert "long ago" not in texts


def test_aboard_the_failsafe_says_how_the_link_is(logs, key, write):
    us = int.from_bytes(FLIGHT.read_bytes()[:8], "big")
    trail = Trail()
    for at_s, text in (
        (-3600, "failsafe: ok -> lost: T1 without one, mode 4"),
        (-1800, "failsafe: lost -> settled: on the ground, mode 4"),
        (1, "failsafe: lost -> ok: a fresh frame of the holder, mode 4"),
        (2, "failsafe: ok -> suspect: no"),
    ):
        trail.add(Event(Topic.NOTE, text), us * 1000 + at_s * S)
    write("audit", LogContent.EVENTS, encode_lines(trail.outgoing(), 0))
    flight = Library(logs, key).open("flights/0000000001.slog").flight
    link = [(happening.time_s, happening.text) for happening in flight.happenings]
    assert (0, "lost, says the drone: T1 without one, mode 4") in link
    assert (1, "up, says the drone: a fresh frame of the holder, mode 4") in link
    assert {each.kind for each in flight.happenings if "no" in each.text.split()} == {"note"}


def test_pages_share_what_they_play(logs, key):
    library = Library(logs, key)
    first = library.open("flights-a/0000000001.slog")
    assert library.open("flights-a/0000000001.slog") is first
    assert library.open("flights-a/0000000002.slog") is not first
    path = logs / "flights-a/0000000001.slog"
    path.write_bytes(path.read_bytes()[:-1])
    assert library.open("flights-a/0000000001.slog") is not first


def test_what_is_damaged_shows_what_can_be_vouched_for(logs, key):
    path = logs / "flights-a/0000000001.slog"
    whole = path.read_bytes()
    path.write_bytes(whole[:-200] + bytes(200))
    opened = Library(logs, key).open("flights-a/0000000001.slog")
    assert opened.title.level == 3
    assert opened.flight.frames == 1  # all but the first chunk is one chunk
    path.write_bytes(whole[:1000])
    with pytest.raises(StoreError, match="nothing in it can be shown"):
        Library(logs, key).open("flights-a/0000000001.slog")


def test_only_what_was_listed_is_opened(logs, key):
    view = FlightsView()
    assert "No such recording" in view.ask(ask("open", name="flights-a/0000000001.slog"), 0)
    assert view.ask(ask("list"), 0) == ""
    assert view.ask(ask("list"), 0) == "Still reading"
    assert view.wanted().do == "list"
    assert view.wanted() is None
    view.listed(*Library(logs, key).rows(frozenset()))
    for name in ("../keys/log-private.key", "/etc/passwd", "flights-a", ""):
        assert "No such recording" in view.ask(ask("open", name=name), 0)
        assert view.wanted() is None
    assert view.ask(ask("open", name="flights-a/0000000001.slog"), 0) == ""
    assert view.wanted().name == "flights-a/0000000001.slog"
    view.failed("it is gone")
    assert [told["what"] for told in view.outgoing(0)] == ["list", "failed"]


def test_a_replay_is_steered(key):
    view = FlightsView()
    assert view.ask(ask("play"), 0) == "No recording is open"
    view.opened(recording(FLIGHT.read_bytes()))
    opened, picture = view.outgoing(0)
    assert (opened["what"], picture["what"]) == ("open", "picture")
    assert picture["at"] == 1
    assert json.dumps(opened)
    assert view.outgoing(S) == []
    assert view.ask(ask("play", speed=4.0), S) == ""
    (picture,) = view.outgoing(2 * S)
    assert (picture["at"], picture["playing"], picture["speed"]) == (4001, True, 4.0)
    assert view.ask(ask("seek", at=1.5), 2 * S) == ""
    assert view.ask(ask("pause"), 2 * S) == ""
    assert [told["at"] for told in view.outgoing(3 * S)] == [1501]
    assert view.ask(ask("close"), 3 * S) == ""
    assert view.outgoing(4 * S) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "delete"},
        {"do": "seek", "at": -1},
        {"do": "seek", "at": 1e300},
        {"do": "seek", "at": "now"},
        {"do": "play", "speed": 3},
        {"do": "play", "speed": 0},
        {"do": "open", "name": 7},
        {"do": "list", "more": 1},
    ],
)
def test_malformed(fields):
    with pytest.raises(NotUnderstoodError):
        parse_untrusted(json.dumps({"type": "flights", "id": 1, "saw": 0, **fields}))
