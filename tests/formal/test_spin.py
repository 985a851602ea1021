"""Each Spin model holds in a complete search, and each negative control breaks it.

Killed by hand: a control that holds (RULE=2 listed as a control), a model that does not (MOD=4
listed as a model), a truncated depth, too little memory: each makes a test here fail.
"""

import pytest

from formal.check import RUNS, Verdict, missing_tools, read_verdict, search

needs_spin = pytest.mark.skipif(
    bool(missing_tools()),
    reason=f"not installed: {', '.join(missing_tools())} (apt-get install spin gcc)",
)


@needs_spin
@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name.replace(" ", ","))
def test_search_finds_what_it_must(run):
    result = search(run)
    assert result.verdict is run.expected, result.report


@pytest.mark.parametrize(
    "run", [run for run in RUNS if run.expected is Verdict.HOLDS and not run.defines]
)
def test_every_model_has_controls(run):
    controls = [r for r in RUNS if r.model == run.model and r.expected is Verdict.VIOLATED]
    assert len(controls) >= 5


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        ("State-vector 36 byte, depth reached 75, errors: 0\n", Verdict.HOLDS),
        ("error: max search depth too small\ndepth reached 9, errors: 0\n", Verdict.INCOMPLETE),
        ("pan: reached -DMEMLIM bound\ndepth reached 9, errors: 0\n", Verdict.INCOMPLETE),
        ("pan:1: invalid end state (at depth 3)\nerrors: 1\n", Verdict.INCOMPLETE),
        ("pan:1: assertion violated x (at depth 3)\nerrors: 1\n", Verdict.VIOLATED),
        ("", Verdict.INCOMPLETE),
    ],
)
def test_only_a_complete_search_or_a_broken_assertion_is_an_answer(report, verdict):
    assert read_verdict(report) is verdict
