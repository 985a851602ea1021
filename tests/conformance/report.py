"""Compares what was observed with what is recorded, and writes the table."""

from collections.abc import Mapping

from tests.conformance.case import CASES, Case, Observed
from tests.conformance.runner import load
from tests.vectors.test_ardupilot_transcript import KNOWN, ROWS

_COMMAND = "SEKISHO_ARDUCOPTER=... python -m tests.conformance --document docs/conformance.md"


def expected(name: str, key: str) -> Observed | None:
    """Return what is recorded of a vehicle, None if nothing is."""
    recorded = load()
    if name == "embedded" and key in recorded["unflown"]:
        return None
    own = recorded["embedded"].get(key) if name == "embedded" else None
    return own if own is not None else recorded["arducopter"].get(key)


def differing() -> list[Case]:
    """Return the cases in which the two vehicles are recorded to differ."""
    return [CASES[key] for key in load()["embedded"] if key in CASES]


def unexplained() -> list[str]:
    """Return differences without an explanation, and explanations without a difference."""
    apart = {case.key for case in differing()}
    faults = [f"difference without explanation: {k}" for k in apart if CASES[k].why is None]
    unflown = load()["unflown"]
    return sorted(faults) + [
        f"explanation without a difference: {key}"
        for key, case in CASES.items()
        if case.why is not None and key not in apart and key not in unflown
    ]


def compare(observed: Mapping[str, Mapping[str, Observed]]) -> list[str]:
    """Return everything that is not as recorded, or not explained."""
    faults = []
    for name, answers in observed.items():
        for key, lines in answers.items():
            wanted = expected(name, key)
            if wanted != lines:
                faults.append(f"{name}: {key}\n  recorded {wanted}\n  observed {lines}")
    return faults + unexplained()


def as_json(observed: Mapping[str, Mapping[str, Observed]]) -> dict[str, object]:
    apart = {case.key for case in differing()}
    return {
        "cases": len(CASES),
        "differences": {case.key: case.why for case in differing()},
        "equal": len(CASES) - len(apart) - len(load()["unflown"]),
        "unflown": load()["unflown"],
        "observed": {name: dict(answers) for name, answers in observed.items()},
    }


def summary(observed: Mapping[str, Mapping[str, Observed]]) -> str:
    apart = {case.key for case in differing()}
    unflown = load()["unflown"]
    lines = [f"{'area':18s} {'cases':>5s} {'equal':>5s} {'differ':>6s}"]
    for area in dict.fromkeys(case.area for case in CASES.values()):
        keys = [key for key, case in CASES.items() if case.area == area]
        off = sum(key in apart for key in keys)
        flown = len(keys) - sum(key in unflown for key in keys)
        lines.append(f"{area:18s} {len(keys):5d} {flown - off:5d} {off:6d}")
    equal = len(CASES) - len(apart) - len(unflown)
    lines.append(f"{'all':18s} {len(CASES):5d} {equal:5d} {len(apart):6d}")
    for name, answers in observed.items():
        wrong = sum(expected(name, key) != lines for key, lines in answers.items())
        lines.append(f"{name}: {len(answers)} flown, {wrong} not as recorded")
    return "\n".join(lines)


def document() -> str:
    """Return the table as Markdown."""
    apart = {case.key for case in differing()}
    recorded = load()
    unflown = recorded["unflown"]
    same = len(CASES) - len(apart) - len(unflown)
    out = [
        "# Conformance with ArduCopter",
        "",
        "The embedded autopilot of `sekisho sim` and the real ArduCopter 4.7 (its SITL) fly one",
        "table of cases: scripts that talk MAVLink and observe what comes back and what becomes of",
        "the vehicle. What the real one answered is recorded in `tests/conformance/recorded.json`;",
        "the embedded one must answer the same, or its case explains why it does not, and its own",
        f"answer is recorded too. Made by `{_COMMAND}`; do not edit.",
        "",
        f"{len(CASES)} cases: {same} equal, {len(apart)} differ and say why"
        + (f", {len(unflown)} recorded from ArduCopter only." if unflown else "."),
        f"Besides, {len(ROWS)} exchanges recorded from the real vehicle are replayed against the",
        f"embedded one; {len(KNOWN)} differs"
        + "".join(f" ({name}: {why})" for name, why in KNOWN.items())
        + ".",
        "",
        "| area | cases | equal | differ |",
        "|---|---|---|---|",
    ]
    areas = dict.fromkeys(case.area for case in CASES.values())
    for area in areas:
        keys = [key for key, case in CASES.items() if case.area == area]
        off = sum(key in apart for key in keys)
        flown = len(keys) - sum(key in unflown for key in keys)
        out.append(f"| {area} | {len(keys)} | {flown - off} | {off} |")
    for area in areas:
        cases = [case for case in CASES.values() if case.area == area]
        equal = [c.name for c in cases if c.key not in apart and c.key not in unflown]
        out += ["", f"## {area.capitalize()}", ""]
        if equal:
            out.append(f"Equal: {'; '.join(equal)}.")
        missing = [case.name for case in cases if case.key in unflown]
        if missing:
            out += ["", f"Recorded from ArduCopter only: {'; '.join(missing)}."]
        if all(case.key not in apart for case in cases):
            continue
        out += ["", "| case | ArduCopter | embedded | why |", "|---|---|---|---|"]
        for case in cases:
            if case.key in apart:
                real = _cell(recorded["arducopter"].get(case.key, []))
                own = _cell(recorded["embedded"][case.key])
                out.append(f"| {case.name} | {real} | {own} | {case.why} |")
    return "\n".join(out) + "\n"


def _cell(lines: Observed) -> str:
    shown = [line if len(line) <= 90 else line[:87] + "..." for line in lines[:8]]
    more = [f"and {len(lines) - 8} more"] if len(lines) > 8 else []
    return "<br>".join(line.replace("|", "/") for line in [*shown, *more]) or "nothing"
