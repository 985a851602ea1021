"""The state table of docs/protocol.md is the one the code runs on."""

from pathlib import Path

from crypto.pairing import DRONE_TRANSITIONS, GROUND_TRANSITIONS, Local

DOCUMENT = Path(__file__).parents[3] / "docs/protocol.md"


def table(end, transitions):
    lines = [f"| {end} | on | becomes |", "|---|---|---|"]
    for state, following in transitions.items():
        for on, becomes in following.items():
            cause = on.value if isinstance(on, Local) else on.name
            lines.append(f"| {state} | {cause} | {becomes} |".replace("_", " "))
    return "\n".join(lines)


TABLES = f"{table('drone', DRONE_TRANSITIONS)}\n\n{table('ground', GROUND_TRANSITIONS)}\n"


def test_the_documented_states_are_the_codes():
    assert TABLES in DOCUMENT.read_text()


if __name__ == "__main__":
    print(TABLES)
