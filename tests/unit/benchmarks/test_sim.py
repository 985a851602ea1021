"""``python -m benchmarks sim`` measures and writes; without peers it says which were not run."""

import json

import pytest

from benchmarks.__main__ import main


@pytest.mark.slow
def test_sim_writes_what_it_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SEKISHO_PEERS_PYTHON", "/bin/false")
    path = tmp_path / "result.json"
    assert main(["sim", "--quick", "--peers", "--json", str(path)]) == 0
    result = json.loads(path.read_text())["results"]["sim"]
    w1 = result["w1"]
    assert max(w1["apart"].values()) < 1e-12
    assert w1["vehicle_steps_per_s"]["numpy"]["10000"] > 0
    assert w1["us_per_step"]["W1 closed loop, Runge-Kutta"]["min"] > 0
    assert w1["peers"] == {}
    assert result["rigid_body_us"]["min"] > 0
    assert "rotorpy: not run" in capsys.readouterr().out
