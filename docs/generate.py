"""Write the generated parts of the documents: `python docs/generate.py`, with --check only compare.

State diagrams come from the tables that the code obeys, so they cannot differ from it.
"""

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path

from crypto import sessions
from flightcore import authority, failsafe
from flightcore.monitor.table import TABLE
from flightcore.policy.document import markdown
from flightcore.policy.rows import ALWAYS, Kind
from flightcore.policy.tables import BUILT_IN_TABLE
from flightcore.prearm import PrearmOptions, requirements

DOCS = Path(__file__).parent


def diagram(transitions: Mapping[tuple[StrEnum, StrEnum], StrEnum], start: StrEnum) -> str:
    """Return a Mermaid state diagram; causes that lead the same way share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (before, cause), after in transitions.items():
        arrows.setdefault((before.value, after.value), []).append(cause.value)
    lines = [
        f"  {'[*]' if before == start else before} --> {after}: {', or '.join(causes)}"
        for (before, after), causes in arrows.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"]).replace("+ 1", "+1")


def session_diagram() -> str:
    """Return the life of a session at the drone, with the times that end a phase."""
    times = [f"{p.value} ends after {ns // 10**9} s" for p, ns in sessions.LIFETIME_NS.items()]
    return f"{diagram(sessions.TRANSITIONS, sessions.Phase.NONE)}\n\n{'; '.join(times)}."


def never() -> str:
    """Return what no row and no override changes."""
    rows = [f"| `{always.reason}` | {always.why} |" for always in ALWAYS]
    return "\n".join(["| counted as | why |", "|---|---|", *rows])


def gate() -> str:
    """Return what is required of the autopilot before it may be armed."""
    rows = [
        f"| {' or '.join(f'`{name}`' for name in row.names)} | {row.wanted} | {row.why} |"
        for row in requirements(PrearmOptions())
    ]
    return "\n".join(["| parameter | wanted | because |", "|---|---|---|", *rows])


def detectors() -> str:
    """Return the table of the GNSS monitor."""
    rows = [
        f"| `{name.value}` | {row.measures} | {row.threshold:g} {row.unit} |"
        f" {'not' if row.on_ground is None else f'x {row.on_ground:g}'} | {row.source} |"
        for name, row in TABLE.items()
    ]
    head = "| detector | measures | alarms at | on the ground | source |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])


GENERATED = {
    "failsafe.md": {
        "ladder": lambda: diagram(failsafe.TRANSITIONS, failsafe.Phase.ASLEEP),
        "gate": gate,
    },
    "gnss-monitor.md": {"detectors": detectors},
    "protocol.md": {
        "sessions": session_diagram,
        "authority": lambda: diagram(authority.TRANSITIONS, authority.Phase.VACANT),
    },
    "policy.md": {
        "always": never,
        **{kind.value: partial(markdown, BUILT_IN_TABLE, kind) for kind in Kind},
    },
}


def render(text: str, parts: Mapping[str, str]) -> str:
    """Return the document with its generated parts as they should be."""
    for name, part in parts.items():
        pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(
            pattern, lambda m, p=part: f"{m[1]}{p}\n{m[2]}", text, flags=re.DOTALL
        )
        assert count == 1, f"no place for {name}"
    return text


def main() -> int:
    """Write or check every document; return 1 if one was out of date under --check."""
    stale = False
    for name, parts in GENERATED.items():
        path = DOCS / name
        now = path.read_text()
        wanted = render(now, {part: make() for part, make in parts.items()})
        if now != wanted and "--check" in sys.argv:
            print(f"{path} is out of date: run python docs/generate.py", file=sys.stderr)
            stale = True
        elif now != wanted:
            path.write_text(wanted)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
