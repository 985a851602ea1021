"""Where the console may be served: on this machine, or nowhere.

Mutants killed: a wildcard address; "off" is an address like any other.
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
