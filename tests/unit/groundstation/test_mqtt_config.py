"""`[mqtt]`: what is not allowed is named, with what is.

Mutants killed: the embedded broker binds to the network; a broker elsewhere without TLS; a
certificate without a key; a wildcard in a subscriber's topics; a subscriber called as the gateway.
"""

import pytest

from groundstation.config import Drone, GroundConfig, Mqtt, Subscriber, check
from wire.locality import NotAllowedError

TLS = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}


def checked(**values):
    check(GroundConfig([Drone("d", "192.168.50.1:14610")], mqtt=Mqtt(**values)))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"broker": "off"},
        {"broker": "mqtt://127.0.0.1:1883"},
        {"broker": "mqtt://127.0.0.1:1883", "user": "u", "password_file": "f"},
        {"broker": "mqtts://192.168.50.9:8883", **TLS},
        {"subscriber": (Subscriber("desk", "f"), Subscriber("wall", "f", ("n", "s/d-00")))},
    ],
)
def test_allowed(values):
    checked(**values)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("site", {"site": "North"}),
        ("site", {"site": "a/b"}),
        ("site", {"site": "+"}),
        ("broker", {"broker": "mqtt://192.168.50.9:1883"}),
        ("broker", {"broker": "mqtts://broker.local:8883", **TLS}),
        ("broker", {"broker": "mqtts://8.8.8.8:8883", **TLS}),
        ("broker", {"broker": "amqtt"}),
        ("bind", {"bind": "0.0.0.0:1883"}),
        ("bind", {"bind": "192.168.50.2:1883"}),
        ("key", {"broker": "mqtts://192.168.50.9:8883", "ca": "c", "cert": "c"}),
        ("ca", {"ca": "c"}),
        ("user", {"broker": "mqtt://127.0.0.1:1883", "user": "u"}),
        ("user", {"user": "u", "password_file": "f"}),
        (r"subscriber\[0\]\.name", {"subscriber": (Subscriber("gateway", "f"),)}),
        (r"subscriber\[1\]\.name", {"subscriber": (Subscriber("a", "f"), Subscriber("a", "f"))}),
        (r"subscriber\[0\]\.topics", {"subscriber": (Subscriber("a", "f", ("+/d",)),)}),
        (r"subscriber\[0\]\.topics", {"subscriber": (Subscriber("a", "f", ("#",)),)}),
        (r"subscriber\[0\]\.topics", {"subscriber": (Subscriber("a", "f", ("n/d/state",)),)}),
        ("subscriber", {"broker": "off", "subscriber": (Subscriber("a", "f"),)}),
    ],
)
def test_refused(key, values):
    with pytest.raises(NotAllowedError, match=rf"^mqtt\.{key} = .*; allowed: "):
        checked(**values)
