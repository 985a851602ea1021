"""The demonstration as a newcomer runs it, under attack: its summary must be true."""

import json
import subprocess
import sys

import pytest

from tests.e2e.processes import ENVIRONMENT

pytestmark = pytest.mark.e2e


def test_headless_flight_under_attack(tmp_path):
    argv = [sys.executable, "-m", "sekisho", "demo", "--headless", "--attack", "--json"]
    done = subprocess.run(
        [*argv, "--speedup", "5"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["ok"] is True
    (flight,) = summary["flights"]
    assert flight["armed"]
    assert flight["landed"]
    assert flight["disarmed"]
    assert flight["max_altitude_m"] == pytest.approx(10, abs=3)
    assert flight["distance_m"] > 80
    attack = summary["attack"]
    assert set(attack) == {"replay", "tamper", "inject", "flood", "reflect", "delay"}
    assert all(outcome["tried"] > 0 and outcome["succeeded"] == 0 for outcome in attack.values())
    # The attacks did arrive, and each was refused for its own reason.
    dropped = summary["link"]["dropped"]
    assert dropped["replayed"] > attack["replay"]["tried"] // 2
    assert dropped["bad_tag"] > 0
    assert dropped["plaintext_mavlink"] >= attack["inject"]["tried"] // 4
    assert dropped["unknown_session"] > 0
    assert dropped["stale"] == attack["delay"]["tried"]
