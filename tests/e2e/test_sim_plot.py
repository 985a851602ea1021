"""`sekisho sim --plot`: what crossed the line, as one page, however the simulator is ended.

To be tried: the report left out when a signal ends it; what goes up not shown; an
existing file found only after the flight.
"""

import signal
import subprocess

import pytest

from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT, Process, wait_until
from tests.e2e.stack import SEKISHO

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_flight_of_the_simulator_as_a_page(tmp_path, number):
    tty, page = tmp_path / "fc", tmp_path / "flight.html"
    argv = [*SEKISHO, "sim", "--tty", tty, "--ekf-ready", "1", "--speedup", "2", "--plot", page]
    process = Process("sim", argv, tmp_path)
    try:
        wait_until(tty.exists, 60, "the terminal")
        with Pilot(str(tty)) as pilot:
            pilot.connect(60)
            pilot.set_mode(4)
            pilot.arm(90)
            pilot.take_off(3, 120)
    finally:
        code = process.stop(number, 60)
    assert code == (0 if number == signal.SIGTERM else 130)
    text = page.read_text()
    assert "Flight of the simulated quad" in text
    assert "Armed" in text
    assert "Sent COMPONENT_ARM_DISARM" in text
    assert "Height above home" in text
    assert "<dd class=''>not recorded" in text  # there is no link to lose


def test_where_a_report_cannot_go_is_said_before_the_flight(tmp_path):
    there = tmp_path / "there.html"
    there.write_text("x")
    for path, why in ((there, "File exists"), (tmp_path / "x.pdf", ".html or .png")):
        argv = [*SEKISHO, "sim", "--plot", path]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == 2
        assert why in done.stderr
