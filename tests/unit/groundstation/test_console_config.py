"""Where the console may be served, on this machine or nowhere; what stations may be called.

Mutants killed: a wildcard address; "off" is an address like any other; a name that is an id; an id
that is nobody's, too short, in capitals or named twice.
"""

import pytest

from groundstation.config import Console, Drone, GroundConfig, check
from wire.locality import NotAllowedError


def config(bind):
    return GroundConfig([Drone("d", "192.168.50.1:14610")], console=Console(bind))


@pytest.mark.parametrize("bind", ["127.0.0.1:8460", "127.0.0.2:1", "off"])
def test_allowed(bind):
    check(config(bind))


@pytest.mark.parametrize(
    "bind",
    ["0.0.0.0:8460", "192.168.50.2:8460", "localhost:8460", "127.0.0.1:0", "127.0.0.1", "on", ""],
)
def test_refused(bind):
    with pytest.raises(NotAllowedError, match=r"console\.bind"):
        check(config(bind))


ID = "4f1c52a09be3d7781c06e2f3a4b5968d"


def named(**stations):
    return GroundConfig([Drone("d", "192.168.50.1:14610")], stations=stations)


def test_stations_are_named():
    check(named())
    check(named(**{"Hill top": ID, "tower-2": ID[::-1]}))


@pytest.mark.parametrize(
    "stations",
    [
        {"": ID},
        {"a/b": ID},
        {ID: ID},
        {"x" * 33: ID},
        {"tower": ID[1:]},
        {"tower": ID.upper()},
        {"tower": "0" * 32},
        {"tower": ID, "again": ID},
    ],
)
def test_stations_are_refused(stations):
    with pytest.raises(NotAllowedError, match="stations"):
        check(named(**stations))
