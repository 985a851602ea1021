"""A flight as one page: what it says is so, nothing from aboard becomes markup, nothing is loaded.

Mutants that died here: a text that is not escaped; the distance counted on the ground too; a jump
of the receiver counted as flown; losses of the link not shown; a damaged recording called whole;
plots of what is not there; the greatest of a column left out where points are thinned.
"""

import html.parser
import json
import math
import re

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from crypto.aio.log_files import LogFile, LogOrigin, SyncPolicy
from crypto.aio.log_keys import save_log_keys
from crypto.primitives import Ed25519, XWingKeyPair
from crypto.sealed_log import LogContent
from groundstation.flight_data import FlightData, Series
from sekisho.cli import main
from sekisho.flight_report import Origin, render
from sekisho.svg_plot import Frame, Line, Mark, line_plot, path_plot
from wire.recorder import Batch, encode_tlog
from wire.trail import Event, Topic, Trail, encode_lines

KEY = XWingKeyPair(bytes(range(32)))
SIGNER = Ed25519(bytes(range(32)))
ORIGIN = LogOrigin(KEY.public, SIGNER, bytes(16), 1)
EVIL = "<script>alert(1)</script><img src=http://example.com/x>"
MAV = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
GROUND = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
S = 10**9
PER_METRE = math.degrees(1 / 6_371_000) * 1e7


def pack(message, mav=MAV):
    return bytes(message.pack(mav))


def beat(*, armed, mode=4):
    base_mode = 81 | 128 * armed
    return pack(dialect.MAVLink_heartbeat_message(2, 3, base_mode, mode, 4, 3))


def position(north_m, height_m=0.0, speed=0.0):
    lat = round(350_000_000 + north_m * PER_METRE)
    return pack(
        dialect.MAVLink_global_position_int_message(
            0, lat, 1_390_000_000, 100_000, round(height_m * 1e3), round(speed * 100), 0, 0, 0
        )
    )


def power(percent, volts):
    return pack(
        dialect.MAVLink_sys_status_message(0, 0, 0, 0, volts, 1500, percent, 0, 0, 0, 0, 0, 0)
    )


def flown():
    """A flight of 100 m north at 10 m/s, and what stands on the ground before it."""
    batches = [Batch(0, [beat(armed=False), position(-50), power(90, 12_600)])]
    batches += [Batch(S, [position(0)]), Batch(2 * S, [beat(armed=True)])]
    arm = dialect.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0)
    batches.append(Batch(2 * S + 1, [pack(arm, GROUND)]))
    batches += [Batch((2 + at) * S, [position(10 * at, 20, 10)]) for at in range(1, 11)]
    batches.append(Batch(13 * S, [position(1e5, 20, 10), position(100, 20, 10)]))  # a jump
    text = EVIL.encode()[:50]
    batches.append(Batch(14 * S, [pack(dialect.MAVLink_statustext_message(2, text))]))
    refusal = dialect.MAVLink_statustext_message(4, b"Refused: command is too old")
    batches.append(Batch(15 * S, [pack(refusal), power(70, 11_100), beat(armed=False)]))
    return batches


def events():
    trail = Trail()
    for at_s, topic, text in (
        (3, Topic.LINK, "lost: last heard 1.2 s ago"),
        (5, Topic.LINK, "up, by udp"),
        (6, Topic.ATTACK, "40 replayed refused in 10 s"),
        (7, Topic.ORDER, EVIL),
    ):
        trail.add(Event(topic, text, drone="a", by="operator 1"), at_s * S)
    return encode_lines(trail.outgoing(), 0)


@pytest.fixture
def recorded(tmp_path, random_bytes):
    """A recording with its events beside it, and the key."""

    def write(directory, content, data):
        where = tmp_path / "logs" / directory
        log = LogFile.create(where, content, ORIGIN, SyncPolicy(1, 1), random_bytes)
        log.append(data, 0)
        log.close()
        return log.path

    write("audit", LogContent.EVENTS, events())
    path = write("flights-a", LogContent.TLOG, encode_tlog(flown(), S))
    return path, save_log_keys(tmp_path / "keys", KEY)[0]


def run(capsys, *argv):
    try:
        code = main([str(word) for word in argv])
    except SystemExit as stop:
        code = stop.code
    out = capsys.readouterr()
    return code, out.out, out.err


class Page(html.parser.HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.said = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.said += data


def facts(page):
    return dict(re.findall(r"<dt>(.*?)</dt><dd class='\w*'>(.*?) <small>", page))


def test_the_page(capsys, recorded, tmp_path):
    path, key = recorded
    out = tmp_path / "flight.html"
    argv = ["logs", "report", path, "--key", key, "--out", out, "--signer", SIGNER.public.hex()]
    code, said, _ = run(capsys, *argv)
    assert (code, "clean" in said) == (0, True)
    assert out.stat().st_mode & 0o777 == 0o600
    text = out.read_text()
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert not [value for name, value in page.attributes if name in ("src", "href")]
    assert "http" not in re.sub(r"http-equiv|example", "", text.replace("http://example", ""))
    assert EVIL in page.said  # of the order
    assert EVIL[:50] in page.said  # of the autopilot
    assert page.tags.count("svg") >= 5
    assert facts(text) == {
        "Armed for": "0:13",
        "Recorded": "0:15",
        "Distance flown": "100 m",
        "Greatest height": "20.0",
        "Greatest speed": "10.0",
        "Battery used": "20 %",
        "Lowest voltage": "11.1",
        "Link lost": "once",
        "Attacks noticed": "1",
        "Refused by the drone": "1",
        "Frames down": str(sum(len(batch.frames) for batch in flown()) - 1),
        "Frames up": "1",
    }
    assert "Sent COMPONENT_ARM_DISARM" in page.said
    assert "operator 1" in page.said
    assert text.count('class="lost"') >= 3  # the loss, in each plot over time
    code, _, said = run(capsys, *argv)
    assert (code, "File exists" in said) == (2, True)


def test_a_picture(capsys, recorded, tmp_path):
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'sekisho[plot]'")
    path, key = recorded
    out = tmp_path / "flight.png"
    assert run(capsys, "logs", "report", path, "--key", key, "--out", out)[0] == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_what_is_damaged_says_so(capsys, recorded, tmp_path):
    path, key = recorded
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    out = tmp_path / "cut.html"
    assert run(capsys, "logs", "report", path, "--key", key, "--out", out)[0] == 0
    assert "Incomplete" in out.read_text()
    path.write_bytes(whole + b"more")
    out = tmp_path / "damaged.html"
    assert run(capsys, "logs", "report", path, "--key", key, "--out", out)[0] == 1
    assert "Damaged" in out.read_text()
    path.write_bytes(whole[:1500])
    out = tmp_path / "nothing.html"
    code, _, said = run(capsys, "logs", "report", path, "--key", key, "--out", out)
    assert (code, out.exists()) == (2, False)
    assert "holds no frames (cut short" in said


def test_what_cannot_be_reported(capsys, recorded, tmp_path):
    path, key = recorded
    audit = path.parent.parent / "audit/0000000001.slog"
    argv = ["logs", "report", audit, "--key", key, "--out", tmp_path / "x.html"]
    code, _, said = run(capsys, *argv)
    assert (code, "holds events" in said) == (2, True)
    code, _, said = run(capsys, *argv[:-1], tmp_path / "x.pdf")
    assert (code, ".html or .png" in said) == (2, True)
    code, _, said = run(capsys, *argv[:-1], tmp_path / "no/x.html")
    assert (code, "No such file or directory" in said) == (2, True)


def test_nothing_known_is_nothing_shown():
    page = render(FlightData(), Origin("x", "nowhere", "", 1))
    assert "<figure>" not in page
    assert "Nothing is recorded" in page
    assert facts(page)["Link"] == "not recorded"
    assert line_plot("Height", "m", [Line("height", Series())], Frame(1, [], [], [])) == ""
    assert path_plot([], None, []) == ""


def test_thinned_plots_keep_their_peaks():
    series = Series()
    for at in range(20_000):
        series.add(at / 100, 50.0 if at == 12_345 else math.sin(at / 500))
    plot = line_plot("Noise", "m", [Line("it", series)], Frame(200, [], [], []))
    points = re.search(r'points="(.*?)"', plot)[1].split()
    assert len(points) < 2000
    highest = min(float(point.split(",")[1]) for point in points)
    lowest = max(float(point.split(",")[1]) for point in points)
    assert lowest - highest > 90
    assert json.dumps("it -1 to 50")[1:-1] in plot


@pytest.mark.parametrize("value", [0.0, 1e-9, -7.0, 123456.0, 1e12])
def test_a_constant_has_a_scale(value):
    series = Series()
    for at in range(3):
        series.add(at, value)
    mark = Mark(1, 3, EVIL)
    plot = line_plot("Constant", "m", [Line("it", series)], Frame(2, [(0, 1)], [], [mark]))
    assert "nan" not in plot
    assert EVIL not in plot


def test_values_that_are_none_are_left_out():
    series = Series()
    for value in (math.nan, math.inf, -math.inf, 1.0):
        series.add(0, value)
    assert series.values == [1.0]
    assert series.at(-1) is None
    assert series.at(5) == 1.0
