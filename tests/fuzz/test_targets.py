"""Every target holds for a few thousand inputs; `python -m tests.fuzz` gives it millions.

Mutants killed: an HS2 whose sealed index differs leaves its handshake to be read again; lengths of
chunks not checked; padding after a zero not checked; the rest of a split stream not bounded; an
observer's role not asked for.
"""

import pytest

from tests.fuzz.__main__ import TARGETS, run

INPUTS = 4000


@pytest.mark.parametrize("name", TARGETS)
def test_target(name):
    assert run(name, INPUTS, seed=1, is_quiet=True) < 8_000_000
