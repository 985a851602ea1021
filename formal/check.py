"""Search every Spin model and every negative control, and tell when one does not do what it must.

python -m formal.check              what CI runs
python -m formal.check --big        the larger searches quoted in formal/README.md

A model must hold in a complete search; a control, the same model with one rule switched off, must
break one of its assertions. Anything else is a surprise, and the exit code is 1.
"""

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

MODELS: Final = Path(__file__).parent / "spin"
TOOLS: Final = ("spin", "gcc")
TIMEOUT_S: Final = 600
MEMORY_MB: Final = 900
BIG_MEMORY_MB: Final = 9000
DEPTH: Final = 200_000
BIG_DEPTH: Final = 6_000_000


class Verdict(StrEnum):
    """What a search found; only the first two are answers."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCOMPLETE = "incomplete"


class Run(NamedTuple):
    """One search: the model, the rules switched off or otherwise set, and what must come of it."""

    model: str
    defines: tuple[str, ...]
    expected: Verdict

    @property
    def name(self) -> str:
        """The run as tables and test ids name it."""
        return " ".join((self.model, *self.defines))


class Result(NamedTuple):
    """What came of a run; `seconds` are of processor time, which a busy machine changes little."""

    verdict: Verdict
    states: int
    seconds: float
    report: str


def _controls(model: str, *defines: str) -> list[Run]:
    return [Run(model, tuple(d.split()), Verdict.VIOLATED) for d in defines]


RUNS: Final = (
    Run("freshness", (), Verdict.HOLDS),
    *_controls(
        "freshness", "RULE=0", "RULE=1", "OWN_ACK=0", "TICKS=4", "SENT=0", "GENERATION_ORDER=0"
    ),
    Run("authority", (), Verdict.HOLDS),
    *_controls(
        "authority",
        "FENCE=0",
        "TRANSITION_FENCE=0",
        "FRESH=0",
        "CHANGE_GAP=0",
        "MOD=4",
        "PERSIST=0",
        "RECHECK=0",
        "LEASE_AT_BOOT=0",
        "BOUND=0",
    ),
    Run("psk_commit", (), Verdict.HOLDS),
    # With promotion by the session's own key even these lapses cost only the ratchet, not the pair.
    Run("psk_commit", ("ALL=0", "EK_ONCE=0", "DROP_OLD=0", "CRASHES=0"), Verdict.HOLDS),
    *_controls(
        "psk_commit",
        "SLOTS=1",
        "PERSIST=0",
        "GPERSIST=0",
        "EK_CONFIRMED=0",
        "EK_LIVE=0",
        "EK_ONCE=0",
        "ONE_NEXT=0",
        "DROP_OLD=0",
        "ALL=0 EK_ONCE=0 DROP_OLD=0 PROMOTE_OWN=0",
    ),
    Run("session_table", (), Verdict.HOLDS),
    *_controls(
        "session_table",
        "ADOPT=0",
        "SILENT=0",
        "FREE_INDEX=0",
        "FORGET_OLDER=0",
        "EVICT=0",
        "RING=0",
        "CLEAR_PENDING=0",
    ),
)
BIG_RUNS: Final = tuple(
    Run(model, ("BIG",), Verdict.HOLDS)
    for model in ("freshness", "authority", "psk_commit", "session_table")
)

# Each of these in pan's report means that part of the state space was not seen.
_TRUNCATED: Final = re.compile(
    r"max search depth too small|reached -DMEMLIM|out of memory|Search not completed|interrupted"
)


def missing_tools() -> list[str]:
    """Return which of the programs needed are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def search(run: Run) -> Result:
    """Generate, compile and run the verifier of one model; raise if it cannot be made."""
    big = "BIG" in run.defines
    with tempfile.TemporaryDirectory(prefix="sekisho-formal-") as scratch:
        defines = [f"-D{define}" for define in run.defines]
        source = (MODELS / f"{run.model}.pml").resolve()
        _must(["spin", *defines, "-a", str(source)], scratch)
        memory = BIG_MEMORY_MB if big else MEMORY_MB
        options = ["-DSAFETY", "-DNOREDUCE", f"-DMEMLIM={memory}", *(["-DCOLLAPSE"] * big)]
        _must(["gcc", "-O1", "-w", *options, "-o", "pan", "pan.c"], scratch)
        began = _cpu_seconds()
        try:
            done = subprocess.run(
                ["./pan", f"-m{BIG_DEPTH if big else DEPTH}"],
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S * (3 if big else 1),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Result(Verdict.INCOMPLETE, 0, _cpu_seconds() - began, "out of time")
        seconds = _cpu_seconds() - began
    report = done.stdout + done.stderr
    states = re.search(r"(\d+) states, stored", report)
    return Result(read_verdict(report), int(states[1]) if states else 0, seconds, report)


def read_verdict(report: str) -> Verdict:
    """Return what pan's report says; a violation counts even where the rest was not searched."""
    if "assertion violated" in report and "errors: 1" in report:
        return Verdict.VIOLATED
    if "errors: 0" in report and not _TRUNCATED.search(report):
        return Verdict.HOLDS
    return Verdict.INCOMPLETE


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _must(command: list[str], directory: str) -> None:
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")


def main() -> int:
    """Print the table of all runs; return 1 if any was a surprise."""
    parser = argparse.ArgumentParser(
        prog="python -m formal.check", description="Search the Spin models and their controls."
    )
    parser.add_argument("--big", action="store_true", help="the larger searches (minutes, 9 GB)")
    runs = BIG_RUNS if parser.parse_args().big else RUNS
    if missing := missing_tools():
        print(f"not installed: {', '.join(missing)} (apt-get install {' '.join(missing)})")
        return 2
    surprises = 0
    print(f"{'model and switches':<58} {'states':>10} {'CPU s':>6}  expected   got")
    for run in runs:
        result = search(run)
        ok = result.verdict is run.expected
        surprises += not ok
        print(
            f"{run.name:<58} {result.states:>10} {result.seconds:>6.1f}  "
            f"{run.expected:<10} {result.verdict}{'' if ok else '   <-- SURPRISE'}",
            flush=True,
        )
    print(f"{len(runs)} searches, {surprises} surprises")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
