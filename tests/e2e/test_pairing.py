"""`sekisho pair drone` and `pair ground`: two processes, a cable, and two people.

Mutants killed: --no-autopilot believed against an armed autopilot, silence taken for disarmed, the
running service not asked, no second look before saving, SAVED said before the record is written, a
distant TTL accepted, an existing pair replaced unasked. SEKISHO_KILLS sets how often to kill (6).
"""

import contextlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import time

import msgspec
import pytest
import segno
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from crypto.aio.store import Store
from crypto.enrolment import Token
from tests.e2e.pairing import CODE, TOKEN, Cable, Pair, code_of, token_of
from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import SEKISHO, Stack
from tests.e2e.vehicles import EmbeddedAutopilot

pytestmark = pytest.mark.e2e
KILLS = int(os.environ.get("SEKISHO_KILLS", "6"))


@pytest.fixture
def cable():
    cable = Cable()
    yield cable
    cable.close()


@pytest.fixture(params=["tcp", "serial"])
def pair(request, tmp_path):
    cable = request.getfixturevalue("cable") if request.param == "serial" else None
    pair = Pair(tmp_path, cable)
    yield pair
    pair.close()


@pytest.fixture
def tcp(tmp_path):
    pair = Pair(tmp_path)
    yield pair
    pair.close()


def check_records_fit(pair, role="commander"):
    aboard = Store(pair.drone_state).load_pair("station-a")
    below = Store(pair.ground_state).load_pair("tsubame-1")
    assert aboard.psk == below.psk
    assert aboard.mac_initiator_key == below.mac_initiator_key
    assert (aboard.drone_id, aboard.gcs_id) == (below.drone_id, below.gcs_id)
    assert aboard.role.value == below.role.value == role
    for path in (pair.drone_record, pair.ground_record):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_terminal_shows_the_token_as_text_and_qr_and_the_time_left(tcp):
    master, slave = os.openpty()
    argv = [*SEKISHO, "pair", "drone", "--state-dir", tcp.drone_state, "--no-autopilot"]
    argv += ["--listen", f"127.0.0.1:{tcp.port}", "--role", "observer"]
    ends = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    aboard = subprocess.Popen(list(map(str, argv)), env=ENVIRONMENT, **ends)
    try:
        shown = b""
        while b"left" not in shown:
            shown += os.read(master, 65536)
        token = TOKEN.search(shown.decode())[0]
        qr = io.StringIO()
        segno.make(token, error="m", micro=False).terminal(qr, compact=True, border=2)
        assert qr.getvalue() in shown.decode().replace("\r\n", "\n")
        below = tcp.ground(token)
        below.say("y")
        while b"[y/N]" not in shown:
            shown += os.read(master, 65536)
        time.sleep(0.2)  # what was typed before the question is thrown away
        os.write(master, b"y\n")
        assert (aboard.wait(15), below.wait()) == (0, 0)
    finally:
        aboard.kill()
        aboard.wait()
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("suite", ["chacha20-poly1305", "aes-256-gcm"])
def test_two_people_pair_two_ends(pair, suite):
    aboard, below = pair.until_code("--suite", suite, role="observer")
    aboard.say("y")
    time.sleep(0.2)
    assert not pair.drone_record.exists()
    below.say("yes")
    assert (aboard.wait(), below.wait()) == (0, 0)
    check_records_fit(pair, "observer")
    assert Store(pair.drone_state).load_pair("station-a").profile.name == suite


@pytest.mark.parametrize("answers", [("n", "y"), ("y", "n"), ("", "y"), ("y", "maybe")])
def test_anything_but_two_yeses_leaves_no_record(pair, answers):
    aboard, below = pair.until_code()
    aboard.say(answers[0])
    below.say(answers[1])
    assert (aboard.wait(), below.wait()) == (1, 1)
    assert not pair.drone_record.exists()
    assert not pair.ground_record.exists()
    assert "not paired" in aboard.output
    assert "not paired" in below.output


def test_wrapped_keys_are_opened_at_both_ends(tcp, tmp_path):
    key_file = tmp_path / "key"
    key_file.write_bytes(os.urandom(32))
    key_file.chmod(0o600)
    for state in (tcp.drone_state, tcp.ground_state):
        wrap = [*SEKISHO, "keys", "wrap", "--state-dir", state, "--key-file", key_file]
        subprocess.run(wrap, check=True, capture_output=True, timeout=30, env=ENVIRONMENT)
    config = tmp_path / "drone.toml"
    config.write_text(
        '[autopilot]\ndevice = "/dev/null"\n[link.udp]\nbind = "127.0.0.1:1"\n'
        f'[state]\ndir = "{tcp.drone_state}"\nkey_file = "{key_file}"\n'
    )
    aboard = tcp.drone(place=("--config", config, "--no-autopilot"))
    below = tcp.ground(token_of(aboard), "--key-file", str(key_file))
    assert code_of(aboard) == code_of(below)
    aboard.say("y")
    below.say("y")
    assert (aboard.wait(), below.wait()) == (0, 0)
    for record in (tcp.drone_record, tcp.ground_record):
        assert record.read_bytes().startswith(b"SKV")


def test_json_goes_to_stdout_and_all_else_to_stderr(tcp):
    argv = [*SEKISHO, "pair", "drone", "--state-dir", tcp.drone_state, "--no-autopilot"]
    argv += ["--listen", f"127.0.0.1:{tcp.port}", "--role", "supervisor", "--json"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    aboard = subprocess.Popen(list(map(str, argv)), env=ENVIRONMENT, text=True, **pipes)
    try:
        while not (match := TOKEN.search(aboard.stderr.readline())):
            pass
        below = tcp.ground(match[0], "--json")
        below.say("y")
        out, rest = aboard.communicate("y\n", timeout=15)
        assert below.wait() == 0
    finally:
        aboard.kill()
        aboard.wait()
    report = json.loads(out)
    assert (report["ok"], report["role"], aboard.returncode) == (True, "supervisor", 0)
    assert report["peer"].startswith("ground-")  # the ground's own word, as no name was given
    assert CODE.search(rest)
    assert match[0] not in out


def test_the_token_may_come_from_a_descriptor(tcp):
    aboard = tcp.drone()
    read, write = os.pipe()
    os.write(write, token_of(aboard).lower().encode())
    os.close(write)
    argv = ["pair", "ground", "--state-dir", tcp.ground_state, "--name", "tsubame-1"]
    argv += ["--connect", f"127.0.0.1:{tcp.port}", "--token-fd", read]
    aboard.say("y")
    below = subprocess.run(
        [*SEKISHO, *map(str, argv)],
        env=ENVIRONMENT,
        pass_fds=[read],
        input=b"y\n",
        capture_output=True,
        timeout=20,
    )
    os.close(read)
    assert (below.returncode, aboard.wait()) == (0, 0), below.stderr
    check_records_fit(tcp)


def test_a_wrong_token_is_told_and_a_mistyped_one_never_leaves_the_ground(tcp):
    aboard = tcp.drone()
    token = token_of(aboard)
    mistyped = tcp.ground(("0" if token[0] != "0" else "1") + token[1:])
    assert mistyped.wait() == 2
    assert "mistyped" in mistyped.output
    assert aboard.is_running()
    other = Token.create(Token.parse(token).suite, Token.parse(token).role, os.urandom)
    wrong = tcp.ground(other.text)
    assert (wrong.wait(), aboard.wait()) == (1, 1)
    assert "does not hold this token" in aboard.output
    assert "a wrong token looks like this" in wrong.output


def test_a_stranger_gets_not_one_byte(tcp):
    aboard = tcp.drone()
    token_of(aboard)
    with socket.socket() as stranger:
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        stranger.settimeout(10)
        stranger.connect(("127.0.0.1", tcp.port))
        stranger.sendall(b"\0" + b"\x01" + bytes(range(1, 65)) + b"\0")
        received = b""
        with contextlib.suppress(ConnectionResetError):
            received = stranger.recv(100)
    assert received == b""
    assert aboard.wait() == 1


def test_a_peer_behind_a_router_does_not_get_through(tcp):
    token_of(tcp.drone())
    with socket.socket() as distant:
        distant.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 254)  # as after one router
        distant.settimeout(1.5)
        with pytest.raises(TimeoutError):
            distant.connect(("127.0.0.1", tcp.port))


@pytest.mark.parametrize("interrupted", ["drone", "ground"])
def test_ctrl_c_cleans_up_at_both_ends(pair, interrupted):
    aboard, below = pair.until_code()
    first, second = (aboard, below) if interrupted == "drone" else (below, aboard)
    first.send_signal(signal.SIGINT)
    assert (first.wait(), second.wait()) == (130, 1)
    assert "Traceback" not in first.output
    assert not pair.drone_record.exists()
    assert not pair.ground_record.exists()


def test_existing_pairs_are_refused_before_anything_starts(tcp):
    aboard, below = tcp.until_code()
    aboard.say("y")
    below.say("y")
    assert (aboard.wait(), below.wait()) == (0, 0)
    before = tcp.drone_record.read_bytes(), tcp.ground_record.read_bytes()
    for process in (tcp.drone(), tcp.ground(None)):
        assert process.wait() == 2
        assert "already paired; add --replace" in process.output
        assert "oken" not in process.output
    aboard, below = tcp.until_code("--replace")
    aboard.say("y")
    below.say("y")
    assert (aboard.wait(), below.wait()) == (0, 0)
    after = tcp.drone_record.read_bytes(), tcp.ground_record.read_bytes()
    assert before[0] != after[0]
    assert before[1] != after[1]
    check_records_fit(tcp)


def test_one_device_is_not_paired_twice_under_two_names(tcp):
    aboard, below = tcp.until_code()
    aboard.say("y")
    below.say("y")
    assert (aboard.wait(), below.wait()) == (0, 0)
    tcp.drone_record.unlink()
    aboard = tcp.drone()
    again = tcp.start(
        *("pair", "ground", "--state-dir", tcp.ground_state, "--name", "other"),
        *("--connect", f"127.0.0.1:{tcp.port}"),
    )
    again.say(token_of(aboard))
    assert (again.wait(), aboard.wait()) == (2, 1)
    assert "already paired as 'tsubame-1'" in again.output


@pytest.mark.parametrize(
    ("option", "address"),
    [("--listen", "0.0.0.0:14611"), ("--listen", "8.8.8.8:1"), ("--listen", "drone.local:1")],
)
def test_addresses_that_are_not_local_are_refused(tcp, option, address):
    place = ("--state-dir", tcp.drone_state, "--no-autopilot", "--role", "observer")
    process = tcp.start("pair", "drone", *place, option, address)
    assert process.wait() == 2
    assert address in process.output
    assert "allowed" in process.output
    process = tcp.start("pair", "ground", "--state-dir", tcp.ground_state, "--connect", address)
    assert process.wait() == 2
    assert address in process.output


def test_the_autopilots_own_line_is_refused(tcp, line, tmp_path):
    config = Stack(tmp_path / "stack", line.device).configs["drone"]
    argv = ("pair", "drone", "--config", config, "--role", "observer", "--serial", line.device)
    process = tcp.start(*argv)
    assert process.wait() == 2
    assert "another device than autopilot.device" in process.output


def test_token_and_answer_may_come_through_one_pipe(tcp):
    aboard = tcp.drone()
    aboard.say("y")
    below = tcp.ground(None, "--token-fd", "0")
    below.say(f"{token_of(aboard)}\ny")
    assert (aboard.wait(), below.wait()) == (0, 0)


def test_nobody_listening_is_told_at_once(tcp):
    below = tcp.ground("3800-20G3-0G2G-C1R8-1450-P30D-1R7K-E0BR")
    assert below.wait() == 1
    assert "is `sekisho pair drone` running there" in below.output


# ---- kill -9 ---------------------------------------------------------------------------------


def let_end(process):
    """On a serial line nobody hears that the other has died: the person ends it."""
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["drone", "ground"])
def test_killed_at_any_moment_they_pair_again(pair, victim):
    """The drone may be left with a record, the ground never with one that the drone lacks."""
    source = random.Random(victim)
    left = {"both": 0, "drone only": 0, "none": 0}
    for _ in range(KILLS):
        for path in (pair.drone_record, pair.ground_record):
            path.unlink(missing_ok=True)
        aboard, below = pair.until_code()
        killed, other = (aboard, below) if victim == "drone" else (below, aboard)
        aboard.say("y")
        below.say("y")
        time.sleep(source.choice((0.001, 0.004, 0.01, 0.02)) * source.random())
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        let_end(other)
        has = pair.drone_record.exists(), pair.ground_record.exists()
        assert has != (False, True)
        left["both" if all(has) else "drone only" if has[0] else "none"] += 1
        if all(has):
            check_records_fit(pair)
        pair.close()
    print("left:", left)
    aboard, below = pair.until_code("--replace")
    aboard.say("y")
    below.say("y")
    assert (aboard.wait(), below.wait()) == (0, 0)
    check_records_fit(pair)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["drone", "ground"])
def test_killed_before_the_code_they_leave_nothing(pair, victim):
    source = random.Random(victim)
    for _ in range(max(3, KILLS // 5)):
        aboard = pair.drone()
        below = pair.ground(token_of(aboard))
        time.sleep(source.random() * 0.6)
        killed, other = (aboard, below) if victim == "drone" else (below, aboard)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        let_end(other)
        pair.close()
        assert not pair.drone_record.exists()
        assert not pair.ground_record.exists()
    aboard, below = pair.until_code()
    aboard.say("y")
    below.say("y")
    assert (aboard.wait(), below.wait()) == (0, 0)


# ---- refused while armed ---------------------------------------------------------------------


@pytest.fixture
def flying(tmp_path):
    """The embedded autopilot on a pty, and a configuration that names it."""
    vehicle = EmbeddedAutopilot(tmp_path, speedup=1)
    stack = Stack(tmp_path / "stack", vehicle.device)
    yield vehicle, stack
    print(stack.report())
    vehicle.stop()


def at(pair, stack):
    pair.drone_state = stack.drone_state
    pair.drone_record = stack.drone_state / "pairs" / "station-a.pair"
    return ("--config", stack.configs["drone"])


@pytest.mark.slow
def test_no_pairing_while_the_autopilot_says_it_is_armed(tcp, flying):
    vehicle, stack = flying
    with Pilot(str(vehicle.device)) as pilot:
        pilot.connect()
        pilot.set_mode(4)
        pilot.arm(40)
        pilot.take_off(5, 30)
    place = at(tcp, stack)
    for extra in ((), ("--no-autopilot",)):
        refused = tcp.drone(*extra, place=place)
        assert refused.wait(15) == 1
        assert "armed" in refused.output
        assert "Token" not in refused.output
    stack.start("drone")  # the service hears it now, and is asked instead
    stack.await_autopilot()
    assert stack.status("drone")["autopilot"]["state"] == "armed"
    refused = tcp.drone(place=place)
    assert refused.wait(15) == 1
    assert "armed" in refused.output
    kept = [event["text"] for event in stack.audit() if event["topic"] == "pairing"]
    assert len(kept) == 3
    assert all(text.startswith("not paired: refused: ") and "armed" in text for text in kept)


@pytest.mark.slow
def test_disarmed_it_pairs_with_the_service_running_or_not(tcp, flying):
    _, stack = flying
    place = at(tcp, stack)
    for running in (False, True):
        if running:
            stack.start("drone")
            stack.await_autopilot()
        aboard, below = tcp.until_code("--replace", place=place)
        aboard.say("y")
        below.say("y")
        assert (aboard.wait(15), below.wait(15)) == (0, 0)
        assert ("restart it" in aboard.output) is running
        check_records_fit(tcp)
    kept = [event for event in stack.audit() if event["topic"] == "pairing"]
    assert [event["by"] for event in kept] == ["station-a"] * 2
    assert kept[0]["text"] == "paired with station-a (commander)"
    # Both ends take the record up, and the link comes to life.
    stack.stop("drone")
    ground = stack.configs["ground"]
    ground.write_text(ground.read_text().replace(str(stack.ground_state), str(tcp.ground_state)))
    stack.ground_state = tcp.ground_state
    stack.start("drone", "ground")
    stack.await_link()
    assert stack.status("drone")["peers"]["station-a"]["state"] == "live"


@pytest.mark.slow
def test_armed_between_the_code_and_the_record_it_leaves_none(tcp, line, tmp_path):
    """A pty held by the test is the autopilot: disarmed at first, armed when both say yes."""
    packer = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)

    def heartbeat(armed):
        flag = mavlink.MAV_MODE_FLAG_SAFETY_ARMED if armed else 0
        message = packer.heartbeat_encode(2, mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, flag, 0, 3)
        line.write(message.pack(packer))

    stack = Stack(tmp_path / "stack", line.device)
    aboard = tcp.drone(place=at(tcp, stack))

    def has_token():
        heartbeat(armed=False)
        return "Token" in aboard.output

    wait_until(has_token, 15, aboard.output, every_s=0.3)
    below = tcp.ground(token_of(aboard))
    below.expect("[y/N]", 10)
    aboard.expect("[y/N]", 10)
    aboard.say("y")
    below.say("y")

    def ended():
        heartbeat(armed=True)
        return not aboard.is_running() and not below.is_running()

    wait_until(ended, 15, "both end", every_s=0.3)
    assert (aboard.wait(), below.wait()) == (1, 1)
    assert "armed" in aboard.output
    assert not tcp.drone_record.exists()
    assert not tcp.ground_record.exists()


def test_a_silent_autopilot_is_no_disarmed_one(tcp, line, tmp_path):
    stack = Stack(tmp_path / "stack", line.device)
    refused = tcp.drone(place=at(tcp, stack))
    assert refused.wait() == 1
    assert f"no heartbeat on autopilot.device = '{line.device}'" in refused.output
    assert "--no-autopilot" in refused.output
    refused = tcp.drone(place=("--state-dir", tcp.drone_state))
    assert refused.wait() == 1
    assert "--no-autopilot" in refused.output
    aboard = tcp.drone("--no-autopilot", place=at(tcp, stack))
    token_of(aboard)


def test_a_damaged_record_of_somebody_else_is_named(tcp):
    other = tcp.drone_state / "pairs" / "other.pair"
    for directory in (tcp.drone_state, other.parent):
        directory.mkdir(mode=0o700)
    other.write_bytes(msgspec.json.encode({}))
    other.chmod(0o600)
    aboard = tcp.drone()  # before it shows a token
    assert aboard.wait() == 2
    assert str(other) in aboard.output
