"""``python -m benchmarks`` as its users meet it."""

import json

import pytest

from benchmarks.__main__ import BENCHMARKS, main


def test_an_unknown_name_is_wrong_usage_and_names_what_is_allowed(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["lnik"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "'lnik'" in message
    assert all(name in message for name in BENCHMARKS)


@pytest.mark.slow
def test_link_core_writes_what_it_measured(tmp_path, capsys):
    path = tmp_path / "result.json"
    assert main(["link_core", "--quick", "--json", str(path)]) == 0
    result = json.loads(path.read_text())
    assert result["command"] == "python -m benchmarks link_core --quick"
    assert {"commit", "started", "machine"} <= result.keys()
    seal = result["results"]["link_core"]["cost"]["seal, 60 B"]
    assert 0 < seal["min"] <= seal["p50"] <= seal["p99"] <= seal["max"]
    assert "seal, 60 B" in capsys.readouterr().out
