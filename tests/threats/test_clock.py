"""Row 11 of the threat table: whatever the wall clock says, nothing is accepted or refused for it.

Three ways: nobody names it in the code, the tests of the link pass while it jumps, and two running
processes keep their link while it does (tests/e2e/test_clock.py).

Mutants killed (docs/decisions/0014-mutants.md): wall clock in a core.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("crypto", "wire", "flightcore", "groundstation")
WALL = {"time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "mktime", "strftime"}
# Where the wall clock may be read, and why.
NAMED = {
    "flightcore/aio/service.py": "our signatures to the autopilot start no earlier; judges nobody",
    "crypto/aio/log_series.py": "the times that a recording shows; nothing reads them",
    "groundstation/aio/mqtt.py": "the times in what is told to dashboards; nothing here reads them",
}


def wall_clock(source):
    """Return the lines that import or read the wall clock."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                bad = any(n.name.split(".")[0] in ("datetime", "calendar") for n in names)
            case ast.ImportFrom(module="datetime" | "calendar"):
                bad = True
            case ast.ImportFrom(module="time", names=names):
                bad = any(n.name in WALL or n.name == "*" for n in names)
            case ast.Attribute(value=ast.Name(id="time"), attr=attribute):
                bad = attribute in WALL or "REALTIME" in attribute
            case ast.Attribute(attr=attribute):
                bad = "REALTIME" in attribute
            case _:
                bad = False
        if bad:
            found.append(node.lineno)
    return found


def test_threat_11_clock_is_not_read_in_the_link():
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(files) > 40
    reading = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := wall_clock(path.read_text()))
    }
    assert reading.keys() == NAMED.keys(), reading


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time_ns",
        "import datetime",
        "from datetime import UTC",
        "import time\ntime.clock_gettime(time.CLOCK_REALTIME)",
    ],
)
def test_threat_11_clock_would_be_found(source):
    assert wall_clock(source)


# Properties of what is no part of the link: they have no clock at all.
OTHERS = re.compile(
    "test_(control|gnss|tracing|recorder|audit|compiled|rotations|plan|offboard|geofence|console|mqtt|sim)"
)


@pytest.mark.slow
def test_threat_11_clock_jumps_while_the_link_is_tested():
    """The command is worth having by itself: all tests of the link, and the clock out of joint."""
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "tests.jumping_clock", "-m", "not e2e"]
    argv += ["-p", "no:cacheprovider", "--deselect", "tests/threats/test_clock.py"]
    argv += ["-k", "not relink and not random_frames and not 82800"]  # which only take longer
    argv += ["tests/unit/crypto", "tests/threats"]
    for place in ("tests/integration", "tests/property"):
        paths = (ROOT / place).glob("test_*.py")
        argv += [str(p.relative_to(ROOT)) for p in paths if not OTHERS.match(p.stem)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"wall clock: \d+ readings, jumps by \[-1, 0, 1\] x 20 years", done.stdout)
