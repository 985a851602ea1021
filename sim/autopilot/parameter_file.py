"""Parameter files as ground software writes them: `NAME VALUE` or `NAME,VALUE` a line."""

import math
from collections.abc import Container
from functools import cache
from importlib import resources


class ParameterFileError(Exception):
    """A line that sets no parameter; the text names the line, what it says, and what is allowed."""


def parse(text: str, known: Container[str]) -> dict[str, float]:
    """Return what a file sets; `#` begins a comment.

    Raises:
        ParameterFileError: A line is something else, or names no parameter in `known`.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        value = _number(words[1]) if len(words) == 2 else None
        if value is None or words[0] not in known:
            raise ParameterFileError(
                f"line {number}: {line.strip()!r}: not NAME VALUE with the name of a parameter "
                "of this vehicle and a finite number"
            )
        found[words[0]] = value
    return found


@cache
def safe_text() -> str:
    """Return the values that `sekisho sim` starts with over ArduCopter's own."""
    return resources.files("sim").joinpath("data", "safe.parm").read_text()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
