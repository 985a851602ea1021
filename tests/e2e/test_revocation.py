"""A lost ground station is revoked over the link, by the other one, while everything runs.

Mutants killed: a drone that learns of its fleet authority at its next start only (lists brought to
it meanwhile were refused), the live session of the revoked station kept, the list not written by
the drone, a pair made after the revocation refused too.
"""

import subprocess

import pytest

from tests.e2e.processes import ENVIRONMENT, wait_until
from tests.e2e.second import Second, await_both, own_id, peer_status, type_command
from tests.e2e.stack import NAME, SEKISHO, pair_lab

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def sekisho(*argv):
    done = subprocess.run(
        [*SEKISHO, *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lost_name(bench, lost):
    return f"ground-{lost[:8]}"


def test_the_list_travels_and_the_station_falls_silent(bench, tmp_path):
    fleet, signed = tmp_path / "fleet", tmp_path / "fleet.skrl"
    sekisho("revoke", "keygen", "--out", fleet, "--plain")
    kept = Second(bench, tmp_path, "commander")
    try:
        bench.start()
        bench.await_link()
        kept.start()
        await_both(bench, kept)
        lost = own_id(bench.configs["ground"])
        for state in (bench.drone_state, kept.state):  # both services are running already
            sekisho("revoke", "trust", "--state-dir", state, fleet / "authority.pub")
        sekisho("revoke", "sign", "--authority", fleet, "--list", signed, lost, "--yes")
        sekisho("revoke", "apply", "--state-dir", kept.state, signed)

        name = lost_name(bench, lost)
        wait_until(lambda: name not in bench.status("drone")["peers"], 5, "the drone shuts it out")
        # Shut out at once, which is safe; the list counts as known when it is on disk.
        wait_until(lambda: bench.status("drone")["revocation_serial"] == 1, 5, "it is written")
        wait_until(lambda: peer_status(kept.config)["revocation_serial"] == 1, 5, "it is told")
        assert f"{name}: revoked by list 1" in bench.processes["drone"].output
        wait_until(lambda: bench.link_state("ground") == "lost", 5, "silence")
        heard = bench.status("ground")["link"]["datagrams_down"]
        assert "Traceback" not in bench.processes["drone"].output

        bench.stop("drone")
        bench.start("drone")
        wait_until(lambda: peer_status(kept.config)["state"] == "live", 10, "the other is there")
        assert f"{name}: revoked by the fleet authority" in bench.processes["drone"].output
        assert list(bench.status("drone")["peers"]) == [f"ground-{own_id(kept.config)[:8]}"]
        assert bench.status("ground")["link"]["datagrams_down"] == heard

        # Who still has the keys and takes part in a pairing anew is trusted anew.
        bench.stop()
        pair_lab(bench.drone_state, bench.ground_state, replace=True)
        assert "granted at 1" in sekisho("keys", "list", "--state-dir", bench.drone_state)
        bench.start()
        bench.await_link()
        assert type_command(bench.configs["ground"], "authority", "show", NAME).returncode == 0
    finally:
        kept.stop()
