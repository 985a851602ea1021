"""Two ground stations on one drone, each with its own gateway, by the commands people type."""

import os
import signal
import subprocess
import sys

import pytest

from tests.e2e.between import BenchAutopilot
from tests.e2e.pilot import Pilot
from tests.e2e.processes import ENVIRONMENT, Process, wait_until
from tests.e2e.second import Second, await_both, own_id, type_command
from tests.e2e.stack import NAME, SEKISHO

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def second(bench, tmp_path):
    second = Second(bench, tmp_path, "supervisor")
    with bench.configs["ground"].open("a") as config:
        config.write(f'[stations]\n"hill top" = "{second.id}"\n')
    bench.start()
    bench.await_link()
    second.start()
    await_both(bench, second)
    yield second
    second.stop()


def holder(bench):
    return bench.status("drone")["authority"]["holder_id"]


def test_hand_over_claim_preempt_and_restart(bench, second, line):
    first = bench.configs["ground"]
    with BenchAutopilot(line):
        bench.await_autopilot()
        a, b = own_id(first), own_id(second.config)
        start = holder(bench)
        here, there = (first, second.config) if start == a else (second.config, first)
        other = b if start == a else a
        done = type_command(there, "authority", "claim", NAME)
        assert (done.returncode, "is there" in done.stdout) == (1, True)
        done = type_command(here, "authority", "hand-over", NAME, "--station", "0" * 32)
        assert (done.returncode, "knows no such station" in done.stdout) == (1, True)
        done = type_command(here, "authority", "hand-over", NAME, "--station", "hilltop")
        assert (done.returncode, "32 hexadecimal digits" in done.stderr) == (2, True)
        named = "hill top" if here == first else other
        done = type_command(here, "authority", "hand-over", NAME, "--station", named)
        assert done.returncode == 0, done.stderr
        done = type_command(there, "authority", "accept", NAME)
        assert (done.returncode, holder(bench)) == (0, other)
        done = type_command(first, "authority", "show", NAME)
        expected = f"hill top ({other})" if here == first else "this station"
        assert f"in command: {expected}" in done.stdout
        # Killed without a chance to tidy up: who commands is on the disk.
        bench.stop("drone", number=signal.SIGKILL)
        bench.start("drone")
        assert holder(bench) == other
        assert bench.status("drone")["authority"]["epoch"] == 1
        bench.await_link()
        bench.await_autopilot()
        done = type_command(second.config, "authority", "preempt", NAME)
        assert (done.returncode, holder(bench)) == (0, b)
        done = type_command(first, "authority", "preempt", NAME)
        assert (done.returncode, "role" in done.stdout) == (1, True)


def test_second_step_by_word(bench, line):
    bench.start()
    bench.await_link()
    config = bench.configs["ground"]
    with BenchAutopilot(line) as autopilot, Pilot(f"udpout:127.0.0.1:{bench.udp_port}") as pilot:
        bench.await_autopilot()
        pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "a heartbeat")
        for answer, executed in (("n\n", []), ("y\n", [246])):
            autopilot.take()
            asker = Process(
                "confirm",
                [*SEKISHO, "confirm", NAME, "--config", config],
                bench.configs["drone"].parent,
            )
            asker.expect("waiting", 10)
            pilot.connection.mav.command_long_send(1, 1, 246, 0, 1, 0, 0, 0, 0, 0, 0)
            asker.expect("param7 0.0. Confirm?", 5)
            assert [m.command for m in autopilot.take() if m.get_type() == "COMMAND_LONG"] == []
            asker.say(answer.strip())
            code = asker.wait(10)
            asker.stop()
            assert code == (0 if executed else 1), asker.output
            assert "MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 246 (COMMAND_LONG)" in asker.output
            if executed:
                wait_until(
                    lambda: [m.command for m in autopilot.take() if m.get_type() == "COMMAND_LONG"],
                    3,
                    "it is carried out",
                )
        pilot.until(lambda: any("Confirm: restart" in t for t in pilot.texts), 5, "it was said")


def test_under_dual_control_only_the_other_station_confirms(bench, line, tmp_path):
    config = bench.configs["drone"]
    config.write_text(config.read_text() + "[policy]\ndual_control = true\n")
    second = Second(bench, tmp_path, "commander")
    bench.start()
    bench.await_link()
    second.start()
    first = bench.configs["ground"]

    def carried_out():
        return [m.command for m in autopilot.take() if m.get_type() == "COMMAND_LONG"]

    def confirm(config):
        return Process("confirm", [*SEKISHO, "confirm", NAME, "--config", config], tmp_path)

    try:
        await_both(bench, second)
        assert holder(bench) == own_id(first)
        with (
            BenchAutopilot(line) as autopilot,
            Pilot(f"udpout:127.0.0.1:{bench.udp_port}") as pilot,
        ):
            bench.await_autopilot()
            pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "a heartbeat")
            autopilot.take()
            own, others = confirm(first), confirm(second.config)
            try:
                own.expect("waiting", 10)
                others.expect("waiting", 10)
                pilot.connection.mav.command_long_send(1, 1, 246, 0, 1, 0, 0, 0, 0, 0, 0)
                for screen in (own, others):
                    screen.expect("Confirm?", 5)
                own.say("y")
                wait_until(
                    lambda: "needs_another_station" in bench.dropped("drone"), 2, "it is refused"
                )
                assert carried_out() == []
                others.say("y")
                wait_until(lambda: carried_out() == [246], 3, "it is carried out")
                assert (own.wait(5), others.wait(5)) == (0, 0)
            finally:
                own.stop()
                others.stop()
    finally:
        second.stop()


def test_what_was_typed_before_the_question_is_no_answer(bench, line):
    bench.start()
    bench.await_link()
    argv = [*SEKISHO, "confirm", NAME, "--config", str(bench.configs["ground"])]
    near, far = os.openpty()
    with BenchAutopilot(line) as autopilot, Pilot(f"udpout:127.0.0.1:{bench.udp_port}") as pilot:
        bench.await_autopilot()
        pilot.until(lambda: "HEARTBEAT" in pilot.latest, 10, "a heartbeat")
        asker = subprocess.Popen(
            argv, stdin=far, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT
        )
        assert asker.stdout.readline().startswith(b"waiting")
        os.write(near, b"y\n")
        pilot.connection.mav.command_long_send(1, 1, 246, 0, 1, 0, 0, 0, 0, 0, 0)
        said = asker.communicate(timeout=10)[0].decode()
        assert "Confirm? [y/N] not confirmed" in said
        assert asker.returncode == 1
        assert [m.command for m in autopilot.take() if m.get_type() == "COMMAND_LONG"] == []
    os.close(near)
    os.close(far)


def test_who_asks_nobody_is_told_so():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sekisho",
            "authority",
            "show",
            "x",
            "--config",
            "/nonexistent.toml",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 2
    assert "/nonexistent.toml" in done.stderr
