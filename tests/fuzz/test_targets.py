"""Every target holds for a few thousand inputs; `python -m tests.fuzz` gives it millions.

Mutants killed (docs/decisions/0014-mutants.md): a split stream keeps what it likes; blob limits not
checked; chunk lengths not checked; fragments without end; padding after a zero not checked; records
run past the end.
"""

import pytest

from tests.fuzz.__main__ import TARGETS, run

INPUTS = 4000


@pytest.mark.parametrize("name", TARGETS)
def test_target(name):
    assert run(name, INPUTS, seed=1, is_quiet=True) < 8_000_000
