"""The services live with what the shipped units forbid: the system calls, and writable code.

The kernel enforces both here without systemd: a filter made of the unit's own SystemCallFilter, and
the kernel's MDWE, which is stricter than the filter that systemd makes of MemoryDenyWriteExecute.

Mutant killed: @network-io taken out of the filter.
"""

import ctypes.util
import shutil
import subprocess
import sys

import pytest

from sekisho.runtime import query, socket_path
from tests.e2e.between import BenchAutopilot
from tests.e2e.processes import Process, wait_until
from tests.unit.packaging.test_units import SYSTEMD, parse

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        ctypes.util.find_library("seccomp") is None or shutil.which("systemd-analyze") is None,
        reason="needs libseccomp and systemd-analyze",
    ),
]

CONFINED = """
import ctypes, sys
calls = sys.argv.pop(1).split(",")
libc = ctypes.CDLL(None, use_errno=True)
# prctl(PR_SET_NO_NEW_PRIVS), then PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN, before libraries load
assert libc.prctl(38, 1, 0, 0, 0) == 0
if libc.prctl(65, 1, 0, 0, 0) != 0:
    print("no MDWE in this kernel", file=sys.stderr)
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
lib.seccomp_load.argtypes = [ctypes.c_void_p]
context = lib.seccomp_init(0x00050001)  # SCMP_ACT_ERRNO(EPERM)
for call in calls:
    number = lib.seccomp_syscall_resolve_name(call.encode())
    if number >= 0:
        assert lib.seccomp_rule_add(context, 0x7fff0000, number, 0) == 0
assert lib.seccomp_load(context) == 0
if sys.argv[1] == "try":
    exec(sys.argv[2])
else:
    from sekisho.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def members(group):
    """The system calls of a group, those of the groups in it too."""
    argv = ["systemd-analyze", "syscall-filter", "--no-pager", group]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout
    found = set()
    for line in listed.splitlines()[1:]:
        word = line.split("#")[0].strip()
        if word:
            found |= members(word) if word.startswith("@") else {word}
    return found


def allowed(kind):
    calls = set()
    for value in parse(SYSTEMD / f"sekisho-{kind}.service")["SystemCallFilter"]:
        for group in value.removeprefix("~").split():
            calls = calls - members(group) if value.startswith("~") else calls | members(group)
    return ",".join(sorted(calls))


def test_the_services_work_confined(bench, line):
    with BenchAutopilot(line):
        for kind in ("drone", "ground"):
            argv = [sys.executable, "-c", CONFINED, allowed(kind), kind]
            config = bench.configs[kind]
            process = Process(kind, [*argv, "--config", config], config.parent)
            bench.processes[kind] = process
            wait_until(lambda kind=kind: bench.try_status(kind), 15, f"{kind} answers")
        bench.await_link()
        bench.await_autopilot()
        # New keys are made and written, too.
        wait_until(
            lambda: next(iter(bench.status("drone")["peers"].values()))["psk_generation"] == 1,
            20,
            "the first ratchet",
        )
        assert query(socket_path("drone", bench.drone_state))
        assert bench.stop("ground") == 0
        assert bench.stop("drone") == 0


@pytest.mark.parametrize(
    "attempt",
    [
        "import os; os.chroot('/')",
        "import os; os.setuid(1)",
        "import time; time.clock_settime(0, time.clock_gettime(0))",
        "import mmap; mmap.mmap(-1, 4096, prot=7)",
    ],
)
def test_what_is_forbidden_fails(attempt):
    argv = [sys.executable, "-c", CONFINED, allowed("drone"), "try", attempt]
    tried = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    assert tried.returncode == 1
    assert "Error" in tried.stderr.splitlines()[-1], tried.stderr
    assert "no MDWE" not in tried.stderr or "mmap" not in attempt
