"""Prometheus text is the status tree: every figure of it, named and labelled by rule.

Mutants killed: booleans left out; drops without the reason; the metric's samples apart; no escapes;
None shown as 0; `_total` left out for drops; other paths answered; a client that says nothing
kept for ever.
"""

import asyncio
import re
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightcore.companion import Companion
from sekisho.metrics import exposition, serving
from wire.locality import NotAllowedError

TREE = {
    "pid": 7,
    "name": 'a"b\\c\nd',
    "link": {"frames_up": 3, "bytes_down": 2**60, "generation": 4, "dropped": {"replay": 2}},
    "peers": {
        "one": {"state": "live", "heard_s": 0.25, "link": {"dropped": {"replay": 1, "old": 5}}},
        "two": {"state": "none", "heard_s": None, "link": {"dropped": {}}},
    },
    "autopilot": {"line": "open", "unsent_bytes": 0, "armed": True},
}


def test_a_tree_written_out():
    assert exposition("s", TREE).splitlines() == [
        "# TYPE s_pid gauge",
        "s_pid 7",
        "# TYPE s_name gauge",
        's_name{value="a\\"b\\\\c\\nd"} 1',
        "# TYPE s_link_frames_up_total counter",
        "s_link_frames_up_total 3",
        "# TYPE s_link_bytes_down_total counter",
        f"s_link_bytes_down_total {2**60}",
        "# TYPE s_link_generation gauge",
        "s_link_generation 4",
        "# TYPE s_link_dropped_total counter",
        's_link_dropped_total{reason="replay"} 2',
        "# TYPE s_peers_state gauge",
        's_peers_state{peer="one",value="live"} 1',
        's_peers_state{peer="two",value="none"} 1',
        "# TYPE s_peers_heard_s gauge",
        's_peers_heard_s{peer="one"} 0.25',
        "# TYPE s_peers_link_dropped_total counter",
        's_peers_link_dropped_total{peer="one",reason="replay"} 1',
        's_peers_link_dropped_total{peer="one",reason="old"} 5',
        "# TYPE s_autopilot_line gauge",
        's_autopilot_line{value="open"} 1',
        "# TYPE s_autopilot_unsent_bytes_total counter",
        "s_autopilot_unsent_bytes_total 0",
        "# TYPE s_autopilot_armed gauge",
        "s_autopilot_armed 1",
    ]


def leaves(tree):
    for item in tree.values():
        yield from leaves(item) if isinstance(item, dict) else [item]


LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NAMES = st.text(min_size=1, max_size=6)
TREES = st.recursive(
    st.dictionaries(NAMES, LEAF, max_size=4),
    lambda t: st.dictionaries(NAMES, t | LEAF),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))
SAMPLE = re.compile(
    r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{(\w+="([^"\\\n]|\\[\\"n])*",?)+\})? (-?inf|-?[0-9][0-9.e+-]*)'
)


@given(TREES)
def test_every_figure_is_there_once_and_every_line_is_well_formed(tree):
    lines = [line for line in exposition("s", tree).split("\n")[:-1] if line[0] != "#"]
    assert len(lines) == sum(leaf is not None for leaf in leaves(tree))
    assert all(SAMPLE.fullmatch(line) for line in lines), lines


def test_nothing_of_a_pair_record_is_in_it(pair, random_bytes):
    companion = Companion([pair[0]], 1, random_bytes)
    text = exposition("s", msgspec.to_builtins(companion.status(0)))
    record = msgspec.to_builtins(pair[0])
    shown = {"peer", "drone", "role", "suite", "peer_name"}
    secret = [
        v for k, v in record.items() if isinstance(v, str) and len(v) >= 16 and k not in shown
    ]
    assert secret
    assert [value for value in secret if value in text] == []


@pytest.fixture
def unused_tcp_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200", b"s_up 1"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200", b"s_up 1"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404", b"only GET /metrics"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"404", b"only GET /metrics"),
        (b"GET /metrics/../x HTTP/1.1\r\n\r\n", b"404", b"only GET /metrics"),
        (b"x" * 10000 + b"\r\n\r\n", b"", b""),
        (b"GET /metrics HTTP/1.1\r\n", b"", b""),  # and says no more
    ],
)
def test_requests(request_, status, says, unused_tcp_port):
    async def main():
        address = ("127.0.0.1", unused_tcp_port)
        async with serving(address, "s", lambda: {"up": 1}):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request_)
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            with pytest.raises(NotAllowedError, match=r"service\.metrics = '127\.0\.0\.1:"):
                async with serving(address, "s", dict):
                    pass
        return answer

    answer = asyncio.run(main())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head[9:12] == status
    assert says in body
    if body:
        assert f"Content-Length: {len(body)}".encode() in head
