"""Keys at rest and in processes, and the revocation of a lost station (R31, R33, R34).

Mutants these tests killed: the passphrase echoed; the passphrase logged; no core limit; processes
dumpable; the drone started with all pairs, or with none; `grant_serial` left 0 at a new pairing;
the authority's own floor not kept.
"""

import base64
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from crypto.aio.store import Store
from crypto.vault import Passphrase, Vault
from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.stack import NAME, SEKISHO, pair_lab

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PASSPHRASE = "canary-Passphrase 3141592653"


def sekisho(*argv, passphrase=None, more=()):
    """Run a command; passphrases go through pipes."""
    given = {"--passphrase-fd": passphrase} | dict(more)
    argv, descriptors = [*SEKISHO, *map(str, argv)], []
    for option, text in given.items():
        if text is not None:
            read, write = os.pipe()
            os.write(write, text.encode())
            os.close(write)
            argv += [option, str(read)]
            descriptors.append(read)
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # no terminal
    )
    for descriptor in descriptors:
        os.close(descriptor)
    assert "Traceback" not in done.stderr
    return done


def unlocked(directory):
    header = Store(directory).secrets.load_header()
    return Store(directory, header and Vault.unlock(header, Passphrase(PASSPHRASE)))


@pytest.fixture
def state(tmp_path):
    """The ground's state directory, paired and plain."""
    pair_lab(tmp_path / "d", tmp_path / "g")
    return tmp_path / "g"


def secrets_of(directory):
    store = unlocked(directory)
    identity = store.load_or_create_identity(None)
    found = [identity.chacha_private, identity.aes_private]
    for pair in store.load_pairs():
        found += [pair.static_private, pair.psk, pair.mac_initiator_key, pair.mac_responder_key]
    return found


def forms(secret):
    """A secret as it is, in hexadecimal, and in base64 at each of the three alignments."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for shift in range(3):
        inner = base64.b64encode(bytes(shift) + secret)[4 if shift else 0 : -4]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def found_in(data, secrets):
    return [secret for secret in secrets if any(form in data for form in forms(secret))]


def test_canaries_are_nowhere_but_in_key_files(bench, tmp_path):
    """R33: services run, one with wrapped keys; then everything they show or write is searched."""
    done = sekisho("keys", "wrap", "--state-dir", bench.ground_state, passphrase=PASSPHRASE)
    assert done.returncode == 0, done.stderr
    outputs = [done.stdout, done.stderr]
    credential = tmp_path / "credential"
    credential.write_text(PASSPHRASE + "\n")
    credential.chmod(0o600)
    config = bench.configs["ground"]
    config.write_text(
        config.read_text().replace("[[drone]]", f'passphrase_file = "{credential}"\n[[drone]]')
    )
    canaries = [*secrets_of(bench.drone_state), *secrets_of(bench.ground_state)]
    canaries.append(PASSPHRASE.encode())
    # The search finds what it must: the drone's keys lie plain in its own files.
    plain = b"".join(p.read_bytes() for p in bench.drone_state.rglob("*.pair"))
    assert len(found_in(plain, canaries)) >= 4

    bench.start()
    bench.await_link()
    searched = {}
    for kind, process in bench.processes.items():
        for name in ("cmdline", "environ"):
            searched[f"{kind} {name}"] = Path(f"/proc/{process.pid}/{name}").read_bytes()
        searched[f"{kind} status"] = json.dumps(bench.status(kind)).encode()
    for kind in ("drone", "ground"):
        bench.stop(kind)
    for directory, secret in ((bench.drone_state, None), (bench.ground_state, PASSPHRASE)):
        for form in ((), ("--json",)):
            done = sekisho("keys", "list", "--state-dir", directory, *form, passphrase=secret)
            assert done.returncode == 0, done.stderr
            outputs += [done.stdout, done.stderr]
    searched["outputs"] = "\n".join([*outputs, *bench.said]).encode()
    key_files = {credential, *bench.drone_state.rglob("*.pair"), bench.drone_state / "device.key"}
    for path in set(tmp_path.rglob("*")) - key_files:
        if path.is_file():
            searched[str(path)] = path.read_bytes()
    assert any("vault.json" in name for name in searched)
    assert [name for name, data in searched.items() if found_in(data, canaries)] == []


def test_services_leave_no_core_dump(bench):
    bench.start()
    for kind, process in bench.processes.items():
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), kind
        if os.geteuid() != 0:  # root owns the entries of what is not dumpable
            assert Path(f"/proc/{process.pid}/environ").stat().st_uid == 0


def test_commands_that_handle_keys_are_not_dumpable(state):
    script = (
        "import ctypes, sys; from sekisho.cli import main; code = main(sys.argv[1:]);"
        "print(code, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    argv = [SEKISHO[0], "-c", script]
    for command, says in (
        (["keys", "list", "--state-dir", str(state)], "0 0"),
        (["status", "--json"], "1"),  # handles no keys
    ):
        done = subprocess.run(
            [*argv, *command], capture_output=True, text=True, timeout=30, env=ENVIRONMENT
        )
        assert done.stdout.splitlines()[-1].endswith(says), done.stderr


def test_wrap_change_unwrap(state):
    before = sekisho("keys", "list", "--state-dir", state, "--json").stdout
    report = json.loads(before)
    (pair,) = report["pairs"]
    assert (report["wrapped"], pair["peer"], pair["role"]) == (None, NAME, "commander")
    other_end = json.loads(
        sekisho("keys", "list", "--state-dir", state.with_name("d"), "--json").stdout
    )["pairs"][0]
    assert other_end["gcs_id"] == pair["gcs_id"]
    assert other_end["own_fingerprint"] == pair["peer_fingerprint"]

    assert sekisho("keys", "wrap", "--state-dir", state, passphrase=PASSPHRASE).returncode == 0
    listed = sekisho("keys", "list", "--state-dir", state, "--json", passphrase=PASSPHRASE)
    assert json.loads(listed.stdout) == report | {"wrapped": "passphrase"}
    again = sekisho("keys", "wrap", "--state-dir", state, passphrase=PASSPHRASE)
    assert (again.returncode, "wrapped already" in again.stderr) == (2, True)

    wrong = sekisho("keys", "list", "--state-dir", state, passphrase="something else")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "vault.json: wrong passphrase; nothing was changed" in wrong.stderr
    absent = sekisho("keys", "list", "--state-dir", state)
    assert (absent.returncode, "--passphrase-fd" in absent.stderr) == (2, True)

    key_file = state.parent / "key"
    key_file.write_bytes(os.urandom(32))
    key_file.chmod(0o600)
    changed = sekisho(
        "keys", "passphrase", "--state-dir", state, "--new-key-file", key_file,
        passphrase=PASSPHRASE,
    )  # fmt: skip
    assert changed.returncode == 0, changed.stderr
    assert sekisho("keys", "list", "--state-dir", state, passphrase=PASSPHRASE).returncode == 2
    by_key = ("--state-dir", state, "--key-file", key_file)
    listed = json.loads(sekisho("keys", "list", *by_key, "--json").stdout)
    assert listed == report | {"wrapped": "key file"}
    unsure = sekisho("keys", "unwrap", *by_key)
    assert (unsure.returncode, "--yes" in unsure.stderr) == (2, True)
    assert sekisho("keys", "unwrap", *by_key, "--yes").returncode == 0
    assert sekisho("keys", "list", "--state-dir", state, "--json").stdout == before

    assert sekisho("keys", "remove", "--state-dir", state, NAME, "--yes").returncode == 0
    gone = sekisho("keys", "remove", "--state-dir", state, NAME, "--yes")
    assert (gone.returncode, "not paired" in gone.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"short", 0o600, "5 characters, at least 12"),
        (b"long enough a passphrase", 0o640, "0640.*chmod 600"),
        (b"\xff" * 20, 0o600, "not UTF-8"),
        (b"", 0o600, "1 to 4096 bytes"),
        (b"x" * 4097, 0o600, "1 to 4096 bytes"),
    ],
)
def test_unusable_passphrase_files_are_named(state, content, mode, says):
    path = state.parent / "passphrase"
    path.write_bytes(content)
    path.chmod(mode)
    done = sekisho("keys", "wrap", "--state-dir", state, "--passphrase-file", path)
    assert done.returncode == 2
    assert re.search(says, done.stderr)
    assert not (state / "vault.json").exists()


def test_a_running_service_keeps_its_keys_from_being_moved(bench):
    bench.start("ground")
    secret = {"passphrase": PASSPHRASE}
    for action, given in (
        (["wrap"], secret),
        (["unwrap", "--yes"], secret),
        (["remove", NAME, "--yes"], {}),
    ):
        done = sekisho("keys", *action, "--state-dir", bench.ground_state, **given)
        assert (done.returncode, "already running" in done.stderr) == (1, True)


def test_a_service_is_found_from_a_shell_with_another_runtime_directory(bench, tmp_path):
    bench.start("ground")
    elsewhere = tmp_path / "runtime"
    elsewhere.mkdir()
    done = subprocess.run(
        [*SEKISHO, "status", "--json", "--config", bench.configs["ground"]],
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT | {"XDG_RUNTIME_DIR": str(elsewhere)},
    )
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (0, "ground")


def test_a_directory_that_is_not_there_pairs_nobody(tmp_path):
    for place in (tmp_path / "mistyped", tmp_path):
        tmp_path.chmod(0o755)
        done = sekisho("keys", "list", "--state-dir", place)
        assert (done.returncode, str(place) in done.stderr) == (2, True)
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize(
    "options", [["--passphrase-fd", "-1"], ["--passphrase-file", "a", "--key-file", "b"]]
)
def test_sources_that_make_no_sense_are_refused(state, options):
    done = sekisho("keys", "list", "--state-dir", state, *options)
    assert (done.returncode, "usage:" in done.stderr) == (2, True)


def test_services_ask_for_what_opens_their_keys(bench, tmp_path):
    state, config = bench.drone_state, bench.configs["drone"]
    key_file = tmp_path / "key"
    key_file.write_bytes(os.urandom(64))
    key_file.chmod(0o600)
    wrapped = sekisho("keys", "wrap", "--state-dir", state, "--key-file", key_file)
    assert wrapped.returncode == 0, wrapped.stderr
    refused = bench.run("drone")
    assert (refused.returncode, "[state] key_file" in refused.stderr) == (2, True)
    config.write_text(
        config.read_text().replace("[link.udp]", f'key_file = "{key_file}"\n[link.udp]')
    )
    bench.start()
    bench.await_link()
    bench.stop("drone")
    key_file.write_bytes(os.urandom(64))
    refused = bench.run("drone")
    assert (refused.returncode, "wrong key file" in refused.stderr) == (1, True)


def at_terminal(argv, answers, timeout_s=30):
    """Run a command at a terminal of its own, answering each prompt; returns what showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, ENVIRONMENT)
    shown, deadline = b"", time.monotonic() + timeout_s
    answers = list(answers)
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the other end is gone
            break
        if answers and re.search(answers[0][0].encode(), shown):
            os.write(terminal, answers.pop(0)[1].encode() + b"\n")
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return status, shown.decode()


def test_a_person_is_asked_at_the_terminal_and_nothing_echoes(state):
    argv = [*SEKISHO, "keys", "wrap", "--state-dir", str(state)]
    twice = [("new passphrase", PASSPHRASE), ("the same again", "different from it")]
    status, shown = at_terminal(argv, twice)
    assert (status, "the two passphrases differ" in shown) == (1, True)
    status, shown = at_terminal(argv, [twice[0], ("the same again", PASSPHRASE)])
    assert status == 0, shown
    argv[4] = "list"
    status, listed = at_terminal(argv, [("passphrase of", PASSPHRASE)])
    assert (status, NAME in listed) == (0, True)
    argv[4] = "unwrap"
    for answer, expected in (("n", 1), ("y", 0)):
        status, asked = at_terminal(argv, [("passphrase of", PASSPHRASE), (r"\[y/N\]", answer)])
        assert status == expected, asked
    assert PASSPHRASE not in shown + listed + asked


def test_wrap_killed_at_random_moments_loses_nothing(state):
    """The whole command, killed from outside; the exhaustive one is in unit/crypto."""
    before = secrets_of(state)
    outcomes = set()
    for attempt in range(12):
        header = Store(state).secrets.load_header()
        outcomes.add(None if header is None else header.contents.value)
        if header is not None and header.contents.value == "sealed":
            break
        read, write = os.pipe()
        os.write(write, PASSPHRASE.encode())
        os.close(write)
        argv = [*SEKISHO, "keys", "wrap", "--state-dir", str(state), "--passphrase-fd", str(read)]
        with subprocess.Popen(
            argv, env=ENVIRONMENT, pass_fds=[read], stdout=subprocess.DEVNULL
        ) as child:
            time.sleep(0.25 + 0.04 * attempt)
            child.kill()
        os.close(read)
        assert secrets_of(state) == before
    print(outcomes)
    finish = sekisho("keys", "wrap", "--state-dir", state, passphrase=PASSPHRASE)
    assert finish.returncode in (0, 2), finish.stderr
    assert Store(state).secrets.load_header().contents.value == "sealed"
    assert secrets_of(state) == before


@pytest.fixture
def fleet(tmp_path):
    """A fleet authority in a directory of its own, wrapped."""
    made = sekisho("revoke", "keygen", "--out", tmp_path / "fleet", passphrase=PASSPHRASE)
    assert made.returncode == 0, made.stderr
    return tmp_path / "fleet"


def sign(fleet, path, *gcs_ids, more=()):
    return sekisho(
        "revoke", "sign", "--authority", fleet, "--list", path, "--yes", *more, *gcs_ids,
        passphrase=PASSPHRASE,
    )  # fmt: skip


def test_a_lost_station_is_revoked_and_paired_again(bench, fleet, tmp_path):
    """R31, from the lost ground station to the new pairing, as an operator does it."""
    state, usb = bench.drone_state, tmp_path / "fleet.skrl"
    bench.start()
    bench.await_link()
    bench.stop("drone")
    (pair,) = json.loads(sekisho("keys", "list", "--state-dir", state, "--json").stdout)["pairs"]

    signed = sign(fleet, usb, pair["gcs_id"])
    assert signed.returncode == 0, signed.stderr
    assert f"gcs {pair['gcs_id']} revoked at 1  <- new" in signed.stdout
    early = sekisho("revoke", "apply", "--state-dir", state, usb)
    assert (early.returncode, "sekisho revoke trust" in early.stderr) == (2, True)
    for _ in range(2):
        trusted = sekisho("revoke", "trust", "--state-dir", state, fleet / "authority.pub")
        assert trusted.returncode == 0, trusted.stderr
    for _ in range(2):
        applied = sekisho("revoke", "apply", "--state-dir", state, usb, "--json")
        assert json.loads(applied.stdout) == {
            "serial": 1,
            "verified": True,
            "entries": [{"gcs_id": pair["gcs_id"], "revoked_at": 1}],
        }
    refused = bench.run("drone")
    assert refused.returncode == 2
    assert f"every paired ground station is revoked ({pair['peer']})" in refused.stderr
    assert f"{pair['peer']}: revoked by the fleet authority" in refused.stderr
    bench.stop("ground")
    for action in (["trust", fleet / "authority.pub"], ["apply", usb]):
        done = sekisho("revoke", action[0], "--state-dir", bench.ground_state, action[1])
        assert done.returncode == 0, done.stderr
    bench.start("ground")
    bench.processes["ground"].expect(f"{NAME}: this station is revoked", 5)
    bench.stop("ground")
    pair_lab(state, bench.ground_state, replace=True)
    (pair,) = json.loads(sekisho("keys", "list", "--state-dir", state, "--json").stdout)["pairs"]
    assert (pair["grant_serial"], pair["revoked"]) == (1, False)
    bench.start()
    bench.await_link()


def test_a_drone_answers_whom_the_list_leaves(bench, fleet, tmp_path):
    """Two stations are paired and one of them is revoked: the drone is silent to it alone."""
    state, usb = bench.drone_state, tmp_path / "fleet.skrl"
    lost = json.loads(sekisho("keys", "list", "--state-dir", state, "--json").stdout)["pairs"][0]
    pair_lab(state, tmp_path / "kept")
    assert sign(fleet, usb, lost["gcs_id"]).returncode == 0
    for action in (["trust", fleet / "authority.pub"], ["apply", usb]):
        assert sekisho("revoke", action[0], "--state-dir", state, action[1]).returncode == 0
    bench.start()
    wait_until(lambda: bench.dropped("drone").get("bad_mac", 0) >= 3, 10, "the lost one calls")
    drone = bench.status("drone")
    assert len(drone["peers"]) == 1
    assert lost["peer"] not in drone["peers"]
    assert (drone["link"]["handshakes"], drone["link"]["datagrams_down"]) == (0, 0)
    bench.stop("ground")
    config = bench.configs["ground"]
    config.write_text(config.read_text().replace(str(bench.ground_state), str(tmp_path / "kept")))
    bench.ground_state = tmp_path / "kept"
    bench.start("ground")
    bench.await_link()


def test_lists_that_are_not_next_are_refused(state, fleet, tmp_path):
    first, second, ids = tmp_path / "1", tmp_path / "2", ["00" * 16, "ff" * 16]
    assert sekisho("revoke", "trust", "--state-dir", state, fleet / "authority.pub").returncode == 0
    assert sign(fleet, first, ids[0]).returncode == 0
    # A lost list file does not begin the serials anew: the authority remembers.
    assert "serial 2, 2 revoked" in sign(fleet, second, ids[1]).stdout
    assert sekisho("revoke", "apply", "--state-dir", state, second).returncode == 0
    replayed = sekisho("revoke", "apply", "--state-dir", state, first)
    assert (replayed.returncode, "serial 2 stays in force" in replayed.stderr) == (1, True)
    third = tmp_path / "3"
    assert sign(fleet, third, ids[0]).returncode == 0
    data = third.read_bytes()
    third.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for command in (
        ["revoke", "apply", "--state-dir", state, third],
        ["revoke", "show", third, "--by", fleet / "authority.pub"],
    ):
        tampered = sekisho(*command)
        assert (tampered.returncode, "not signed by both keys" in tampered.stderr) == (1, True)
    shown = sekisho("revoke", "show", second, "--by", fleet / "authority.pub")
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "authentic")

    other = tmp_path / "other"
    assert sekisho("revoke", "keygen", "--out", other, "--plain").returncode == 0
    taken = sekisho("revoke", "trust", "--state-dir", state, other / "authority.pub")
    assert (taken.returncode, "--replace" in taken.stderr) == (2, True)
    replaced = sekisho(
        "revoke", "trust", "--state-dir", state, other / "authority.pub", "--replace"
    )
    assert (replaced.returncode, "--above 2" in replaced.stdout) == (0, True)
    over = tmp_path / "over"
    assert "serial 3, 1" in sign(other, over, ids[0], more=("--above", "2")).stdout
    assert sekisho("revoke", "apply", "--state-dir", state, over).returncode == 0


@pytest.mark.parametrize("gcs_id", ["00", "0" * 31, "0" * 33, "g" * 32, "AB" * 16, ""])
def test_a_station_is_named_whole_or_not_at_all(fleet, tmp_path, gcs_id):
    done = sign(fleet, tmp_path / "list", gcs_id)
    assert (done.returncode, "32 hexadecimal digits" in done.stderr) == (2, True)
    assert not (tmp_path / "list").exists()
