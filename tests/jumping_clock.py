"""A pytest plugin: the wall clock jumps by twenty years, back and forth, while the tests run.

`python -m pytest -p tests.jumping_clock ...`. Only what the tested code may call is replaced; the
monotonic clock goes on as it does.
"""

import itertools
import time

YEARS_S = 20 * 365 * 86_400
_JUMPS = itertools.cycle((YEARS_S, -YEARS_S, 0, -YEARS_S, YEARS_S))
_real = {name: getattr(time, name) for name in ("time", "localtime", "gmtime", "ctime")}
calls = 0


def _now() -> float:
    global calls
    calls += 1
    return _real["time"]() + next(_JUMPS)


def pytest_configure() -> None:
    time.time = _now
    time.time_ns = lambda: int(_now() * 1e9)
    for name in ("localtime", "gmtime", "ctime"):
        real = _real[name]
        setattr(time, name, lambda at=None, real=real: real(_now() if at is None else at))


def pytest_terminal_summary(terminalreporter) -> None:
    jumps = {round((time.time() - _real["time"]()) / YEARS_S) for _ in range(5)}
    terminalreporter.write_line(
        f"wall clock: {calls} readings, jumps by {sorted(jumps)} x 20 years"
    )
