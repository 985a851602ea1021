"""The soak runs, short: a few kills of each sort, and files cut at every byte.

Mutants killed: `write_private` that now and then does not rename; the boot count read without its
end, as it was: a count cut short passed for another.
"""

import pytest

from tests.soak.kills import Soak, kill_services
from tests.soak.truncation import cut_everywhere, furnished


@pytest.mark.slow
def test_killed_anywhere(tmp_path):
    soak = Soak(tmp_path, seed=7)
    soak.run(30, print)
    assert len(soak.hits) > 3, "the moments were all alike"


@pytest.mark.e2e
@pytest.mark.slow
def test_services_killed(tmp_path):
    kill_services(tmp_path, 3, 7, print)


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [False, True])
def test_files_cut_at_every_byte(tmp_path, sealed):
    results = cut_everywhere(furnished(tmp_path / "state", sealed=sealed), most=90)
    print(results)
    assert ("vault.json" in results) is sealed
    assert all(refused > read for refused, read in results.values())
