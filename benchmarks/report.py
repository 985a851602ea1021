"""What a run leaves: percentiles, a short table on the terminal, one JSON file."""

import datetime
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.program import ROOT

RESULTS: Final = ROOT / "benchmarks" / "results"
_PACKAGES: Final = (
    "cryptography",
    "fastcrc",
    "msgspec",
    "numpy",
    "pymavlink",
    "pyserial",
    "MAVProxy",
)


class Options(msgspec.Struct, frozen=True):
    """What the command line asks of every benchmark; `directory` holds recorded flights.

    `drones` and `minutes` are for `console`.
    """

    peers: bool = False
    quick: bool = False
    directory: Path | None = None
    drones: int = 50
    minutes: float = 5.0


class Spread(msgspec.Struct, frozen=True, omit_defaults=True):
    """The distribution of one measured quantity; `quantiles` are the 5 % steps of many samples."""

    unit: str
    n: int
    min: float
    p50: float
    p90: float
    p99: float
    max: float
    samples: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> "Spread":
        """Describe `values`; few are kept as they came, many as quantiles."""
        ordered = sorted(values)

        def at(q: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 4)

        few = len(values) <= 60
        return cls(
            unit=unit,
            n=len(values),
            min=at(0),
            p50=round(statistics.median(ordered), 4),
            p90=at(0.9),
            p99=at(0.99),
            max=at(1),
            samples=tuple(round(v, 4) for v in values) if few else (),
            quantiles=() if few else tuple(at(i / 20) for i in range(20)),
        )


class Machine(msgspec.Struct, frozen=True):
    """Where it ran: what figures depend on, and nothing that names the machine."""

    cpu: str
    cores: int
    system: str
    python: str
    versions: dict[str, str]
    load_before: tuple[float, float, float]


class Report(msgspec.Struct):
    """The whole JSON file."""

    command: str
    started: str
    commit: str
    modified: bool  # the product's files differ from that commit
    machine: Machine
    results: dict[str, object]
    load_after: tuple[float, float, float] | None = None


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def begin(command: str) -> Report:
    """Note the circumstances of a run before it starts."""
    return Report(
        command=command,
        started=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=_git("rev-parse", "--short=10", "HEAD") or "unknown",
        modified=bool(_git("status", "--porcelain", "--", ":!benchmarks/results")),
        machine=Machine(
            cpu=_cpu_model(),
            cores=os.cpu_count() or 1,
            system=f"{platform.system()} {platform.release().split('-')[0]}",
            python=platform.python_version(),
            versions={package: _version(package) for package in _PACKAGES},
            load_before=os.getloadavg(),
        ),
        results={},
    )


def default_path(report: Report) -> Path:
    """Return ``benchmarks/results/<utc>-<commit>-<host>.json``; the host is its CPU's name."""
    model = re.sub(r"\(\w+\)", "", report.machine.cpu).lower()
    host = re.sub(r"[^a-z0-9]+", "-", model).strip("-")
    utc = report.started.replace("-", "").replace(":", "")
    return RESULTS / f"{utc}-{report.commit}-{host}-{report.machine.cores}core.json"


def write(report: Report, path: Path) -> None:
    """Write the file."""
    report.load_after = os.getloadavg()
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1)
    # One line per list of numbers, not one per number.
    text = re.sub(r"\[[\s\d.,eE+-]*\]", lambda m: re.sub(r"\s+", " ", m[0]), encoded.decode())
    path.write_text(text + "\n")


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, the first to the left and figures to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}")
    for row in [head, *rows]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())


def figure(value: float) -> str:
    """Write a figure with about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
