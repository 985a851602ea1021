"""docs/simulator.md names the parameters that the simulator reads, and no others."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def named(text: str) -> set[str]:
    """Names, with the axes that follow a name written out: `SIM_X_A_X`, `_Y`, `_Z`."""
    found = set(re.findall(r"SIM_[A-Z0-9_]{3,}(?![a-z])", text))
    return {re.sub(r"_[XYZ]?$", "_", n) if re.search(r"_(GLTCH|VERR|BIAS|OFS)_", n) else n
            for n in found}  # fmt: skip


def test_the_parameters_of_the_table_are_those_that_are_read():
    documented = named((ROOT / "docs" / "simulator.md").read_text())
    sources = [*(ROOT / "sim").glob("*.py"), *(ROOT / "sim" / "sensors").glob("*.py")]
    read = {name for path in sources for name in named(path.read_text())}
    assert documented == {n for n in read if n not in {"SIM_JSON", "SIM_WIND_"}}
