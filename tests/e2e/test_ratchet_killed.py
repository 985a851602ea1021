"""kill -9 of either end at any moment of the first ratchet: they meet again, and get there.

``SEKISHO_KILLS=100 pytest tests/e2e/test_ratchet_killed.py`` kills more often.
"""

import os
import random
import signal
import time

import pytest

from crypto.aio.store import Store
from tests.e2e.between import BenchAutopilot
from tests.e2e.processes import wait_until
from tests.e2e.stack import NAME, Stack, pair_lab

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KILLS = int(os.environ.get("SEKISHO_KILLS", "6"))


def records(stack: Stack):
    drone, ground = Store(stack.drone_state), Store(stack.ground_state)
    return drone.load_pairs()[0], ground.load_pair(NAME)


def test_killed_at_any_moment_of_the_ratchet(line, tmp_path):
    draw = random.Random(20261121)
    stack = Stack(tmp_path, line.device)
    seen = set()
    try:
        with BenchAutopilot(line):
            for number in range(KILLS):
                pair_lab(stack.drone_state, stack.ground_state, replace=True)
                stack.start()
                time.sleep(draw.uniform(0.0, 1.6))
                victim = ("drone", "ground")[number % 2]
                stack.stop(victim, number=signal.SIGKILL)
                aboard, below = records(stack)
                seen.add((aboard.psk_generation, aboard.next_psk is not None))
                # Whatever moment it was, there is a key that both have on disk.
                slots = [{r.psk, r.next_psk} - {None} for r in (aboard, below)]
                assert slots[0] & slots[1]
                stack.start(victim)
                stack.await_link()
                wait_until(
                    lambda: all(
                        (r.psk_generation, r.next_psk) == (1, None) for r in records(stack)
                    ),
                    20,
                    "the ratchet is done",
                )
                aboard, below = records(stack)
                assert aboard.psk == below.psk
                stack.stop()
        print("the drone's record when killed:", seen)
    finally:
        print(stack.report())
