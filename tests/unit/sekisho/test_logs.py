"""`sekisho logs`: real files through the command, and what it says of each.

Mutants that died here: exit status 0 for a cut file on verify, 1 on export; the key or --signer or
--head not used; an output that replaces a file; an output readable by others.
"""

import json
import resource

import pytest

from crypto.aio.log_files import LogFile, LogOrigin, SyncPolicy
from crypto.aio.log_keys import load_log_public, load_or_create_log_signer
from crypto.aio.secret_files import SecretFiles
from crypto.sealed_log import LogContent
from sekisho.cli import main

CANARY = b"lat=35.6586,lon=139.7454"


def run(capsys, *argv):
    try:
        code = main([str(word) for word in argv])
    except SystemExit as stop:  # argparse
        code = stop.code
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def keys(capsys, tmp_path):
    code, out, _ = run(capsys, "logs", "keygen", "--out", tmp_path / "keys", "--json")
    assert code == 0
    return json.loads(out)


@pytest.fixture
def record(tmp_path, keys, random_bytes):
    def record(count=3, *, finish=True):
        signer = load_or_create_log_signer(SecretFiles(tmp_path / "state"), random_bytes)
        public = load_log_public(tmp_path / "keys/log-public.key")
        origin = LogOrigin(public, signer, bytes(range(16)), 12)
        log = LogFile.create(
            tmp_path / "logs", LogContent.TLOG, origin, SyncPolicy(1, 1), random_bytes
        )
        for index in range(count):
            log.append(b"%d:%s;" % (index, CANARY), 0)
        if finish:
            log.close()
        return log

    return record


def test_keygen(capsys, tmp_path, keys):
    assert keys["ok"]
    assert (tmp_path / "keys/log-private.key").stat().st_mode & 0o777 == 0o600
    code, out, err = run(capsys, "logs", "keygen", "--out", tmp_path / "keys")
    assert (code, out) == (2, "")
    assert "log-private.key: exists" in err
    code, out, _ = run(capsys, "logs", "keygen", "--out", tmp_path / "more")
    assert code == 0
    assert "keep offline" in out


def test_export_gives_the_contents_back(capsys, tmp_path, keys, record):
    log, out = record(), tmp_path / "flight.tlog"
    assert CANARY not in log.path.read_bytes()
    argv = ["logs", "export", log.path, "--key", keys["private"], "--out", out]
    code, text, _ = run(capsys, *argv)
    assert code == 0
    assert "clean, 3 chunks" in text
    assert out.read_bytes() == b"".join(b"%d:%s;" % (i, CANARY) for i in range(3))
    assert out.stat().st_mode & 0o777 == 0o600
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert f"{out}: File exists" in err


def test_export_of_a_cut_file_succeeds_and_of_a_damaged_one_fails(capsys, tmp_path, keys, record):
    log, out = record(finish=False), tmp_path / "out"
    argv = ["logs", "export", log.path, "--key", keys["private"], "--out", out]
    code, text, _ = run(capsys, *argv)
    assert code == 0
    assert "cut short after 3 chunks, at byte " in text
    out.unlink()
    whole = bytearray(log.path.read_bytes())
    whole[-1] ^= 1
    log.path.write_bytes(whole)
    code, text, _ = run(capsys, *argv, "--json")
    report = json.loads(text)
    assert code == 1
    assert not report["ok"]
    assert (report["logs"][0]["damage"], report["logs"][0]["chunks"]) == ("FORGED", 2)
    assert out.read_bytes() == b"0:%s;1:%s;" % (CANARY, CANARY)


def test_verify(capsys, keys, record):
    clean, cut = record().path, record(finish=False).path
    signer = json.loads(run(capsys, "logs", "verify", clean, "--json")[1])["logs"][0]["signer"]
    for options in ([], ["--key", keys["private"]], ["--signer", signer]):
        assert run(capsys, "logs", "verify", clean, *options)[0] == 0
        code, text, _ = run(capsys, "logs", "verify", clean, cut, *options, "--json")
        report = json.loads(text)
        assert code == 1
        assert not report["ok"]
        assert [log["state"] for log in report["logs"]] == ["clean", "cut short"]
        assert [log["number"] for log in report["logs"]] == [1, 2]
        assert report["logs"][0]["opened"] == ("--key" in options)
    code, text, _ = run(capsys, "logs", "verify", clean, "--signer", "00" * 32)
    assert code == 1
    assert "refused: signed by another device" in text


def test_verify_against_a_head_that_the_ground_noted(capsys, keys, record):
    log = record(finish=False)
    argv = ["logs", "verify", log.path, "--key", keys["private"], "--head", log.short_head.hex()]
    assert "cut short after 3 chunks" in run(capsys, *argv)[1]
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-70])
    code, text, _ = run(capsys, *argv)
    assert code == 1
    assert "the head known from elsewhere is not reached; 2 chunks before it" in text


def test_the_wrong_key(capsys, tmp_path, record):
    log = record()
    run(capsys, "logs", "keygen", "--out", tmp_path / "other")
    other = tmp_path / "other/log-private.key"
    code, text, _ = run(capsys, "logs", "verify", log.path, "--key", other)
    assert code == 1
    assert "refused: sealed to another key" in text
    out = tmp_path / "out"
    assert run(capsys, "logs", "export", log.path, "--key", other, "--out", out)[0] == 1
    assert not out.exists()


def test_where_the_damage_is(capsys, keys, record):
    log = record()
    whole = log.path.read_bytes()
    second = 1308 + 56 + len(CANARY) + 3
    log.path.write_bytes(whole[:second] + whole[second + 56 + len(CANARY) + 3 :])
    code, text, _ = run(capsys, "logs", "verify", log.path)
    assert code == 1
    assert (
        f"damaged at chunk 1, byte {second}: another chunk's number stands here (2); "
        "1 chunk before it" in text
    )


def test_list(capsys, tmp_path, record):
    record()
    record(finish=False)
    code, text, _ = run(capsys, "logs", "list", tmp_path / "logs", "--json")
    report = json.loads(text)
    assert code == 0
    assert [log["state"] for log in report["logs"]] == ["clean", "cut short"]
    first = report["logs"][0]
    assert (first["content"], first["boot_count"]) == ("tlog", 12)
    assert first["device_id"] == bytes(range(16)).hex()
    code, text, _ = run(capsys, "logs", "list", tmp_path / "logs")
    assert "tlog, boot 12" in text
    assert "contents not checked" in text
    code, text, err = run(capsys, "logs", "list", tmp_path / "keys")
    assert (code, text) == (0, "")
    assert "no sealed logs" in err


def test_errors_name_the_file(capsys, tmp_path, keys, record):
    log = record()
    for argv, says in [
        (["list", tmp_path / "none"], "none: no such directory"),
        (["verify", tmp_path / "none"], "none: No such file"),
        (["verify", log.path, "--key", tmp_path / "none"], "none: No such file"),
        (["verify", log.path, "--key", keys["public"]], "log-public.key: readable by others"),
        (["verify", log.path, "--signer", "00"], "'00' is not 64 hexadecimal digits"),
        (["verify", log.path, "--head", "xyz"], "'xyz' is not 8 to 64 hexadecimal digits"),
        (
            ["export", log.path, "--key", keys["private"], "--out", tmp_path / "no/out"],
            "no/out: No such file or directory; --out names a new file",
        ),
        (["export", log.path, "--out", "x"], "--key"),
    ]:
        code, out, err = run(capsys, "logs", *argv)
        assert (code, out) == (2, ""), argv
        assert says in err


def test_an_export_that_fails_leaves_no_file(capsys, tmp_path, keys, record):
    out = tmp_path / "out"
    argv = ["logs", "export", "--key", keys["private"], "--out", out]
    assert run(capsys, *argv, tmp_path / "none.slog")[0] == 2
    assert not out.exists()
    log = record()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))  # as a disk that is full
    try:
        code, _, err = run(capsys, *argv, log.path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, f"{out}: File too large" in err) == (1, True)
    assert not out.exists()


def test_what_is_no_log(capsys, tmp_path):
    path = tmp_path / "x.slog"
    path.write_bytes(b"hello")
    code, text, _ = run(capsys, "logs", "verify", path, "--json")
    assert code == 1
    assert json.loads(text)["logs"][0] == {
        "file": str(path),
        "state": "damaged",
        "chunks": 0,
        "head": "",
        "offset": 0,
        "damage": "NOT_A_LOG",
        "summary": "refused: this is no sealed log; 0 chunks before it",
        "opened": False,
        **dict.fromkeys(["number", "boot_count", "device_id", "content", "signer", "recipient"]),
    }


@pytest.mark.parametrize("verb", [[], ["keygen"], ["list"], ["verify"], ["export"]])
def test_help_has_an_example(capsys, verb):
    code, out, _ = run(capsys, "logs", *verb, "--help")
    assert code == 0
    assert "example" in out or not verb
