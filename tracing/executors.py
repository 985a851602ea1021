"""From one text to programs: Python floats for one vehicle, numpy rows for many.

Both execute the same operations in the same order, so they agree to the last places of sine and
cosine. For one vehicle numbers beat arrays about fifteenfold, because a numpy call on one number
costs what ten multiplications cost; from about a dozen vehicles on rows win. Rows never allocate:
every operation writes to rows of its own, which are used again as soon as their last reader has
run, and equal operations on rows side by side are one call (`tracing.schedule`).
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracing.schedule import Schedule
from tracing.terms import INPUT, Graph, Group, Real, Term, needed

Array: TypeAlias = NDArray[np.float64]
Text: TypeAlias = Callable[..., tuple[Group, ...]]
FloatProgram: TypeAlias = Callable[..., tuple[tuple[float, ...], ...]]

EXPRESSIONS: Final = {
    "add": "({0}+{1})",
    "sub": "({0}-{1})",
    "mul": "({0}*{1})",
    "div": "({0}/{1})",
    "neg": "(-{0})",
    "sqrt": "sqrt({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "min": "({1} if {1}<{0} else {0})",
    "max": "({1} if {1}>{0} else {0})",
    "choose": "({1} if {0}>=0.0 else {2})",
}
_READ_TWICE: Final = frozenset({"min", "max"})
_NESTING: Final = 12
_PIECE: Final = 4096  # numbers that one call works on, at most: what it reads and writes is near


class Batch(Protocol):
    """A text for N vehicles: `Rows`, or `tracing.compiled.Compiled`.

    Attributes:
        inputs: One array per input group. Shape (size, N), vehicles last.
        outputs: One array per output group. Shape (size, N).
    """

    inputs: list[Array]
    outputs: list[Array]

    def __init__(
        self,
        text: Text,
        sizes: Sequence[int],
        count: int,
        *,
        feedback: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Make the program of `text` for `count` vehicles, groups of outputs fed back to inputs."""

    def run(self) -> None:
        """Read the inputs and write the outputs."""


class Trace:
    """A text seen through terms: its inputs and outputs in groups."""

    def __init__(self, text: Text, sizes: Sequence[int]) -> None:
        graph = Graph()
        self.inputs: list[tuple[Term, ...]] = [graph.inputs(size) for size in sizes]
        self.outputs: list[Group] = [tuple(group) for group in text(*self.inputs)]
        self.terms = needed(value for group in self.outputs for value in group)
        self.abreast = graph.abreast

    @property
    def operations(self) -> int:
        """Return how many operations one step costs."""
        return sum(term.operation != INPUT for term in self.terms)


def floats(text: Text, sizes: Sequence[int]) -> FloatProgram:
    """Return `text` as a function of tuples of floats, for one vehicle.

    Args:
        text: A law over `Real`; takes one tuple per group and returns a tuple of groups.
        sizes: How many numbers each input group holds.

    Invariant:
        It returns what `text` returns when it is called with floats, up to the rounding of a
        division by a constant, which becomes a product.
    """
    trace = Trace(text, sizes)
    namespace: dict[str, object] = {"sqrt": math.sqrt, "sin": math.sin, "cos": math.cos}
    namespace |= {"inf": math.inf, "nan": math.nan}  # as repr() writes them
    # The source is written here, from names of our own making and repr() of floats.
    exec(compile(float_source(trace), "<floats>", "exec"), namespace)  # noqa: S102
    program: FloatProgram = namespace["program"]  # type: ignore[assignment]
    return program


def float_source(trace: Trace) -> str:
    """Return straight-line Python for one vehicle; what is read once is nested where it is read."""
    readers: dict[int, int] = {}
    for term in trace.terms:
        twice = term.operation in _READ_TWICE
        for argument in term.arguments:
            if isinstance(argument, Term):
                readers[argument.number] = readers.get(argument.number, 0) + 1 + twice
    kept = {v.number for group in trace.outputs for v in group if isinstance(v, Term)}
    written: dict[int, str] = {}
    depth: dict[int, int] = {}
    names = [
        "".join(f"v{term.number}," for term in group) if group else "" for group in trace.inputs
    ]
    lines = [f"def program({','.join(f'g{i}' for i in range(len(names)))}):"]
    lines += [f"    {unpacked}=g{i}" for i, unpacked in enumerate(names) if unpacked]

    def atom(value: Real) -> str:
        return written[value.number] if isinstance(value, Term) else f"({float(value)!r})"

    for term in trace.terms:
        name = f"v{term.number}"
        if term.operation == INPUT:
            written[term.number] = name
            continue
        expression = EXPRESSIONS[term.operation].format(*map(atom, term.arguments))
        deep = 1 + max(depth.get(a.number, 0) for a in term.arguments if isinstance(a, Term))
        if readers.get(term.number) == 1 and term.number not in kept and deep < _NESTING:
            written[term.number], depth[term.number] = expression, deep
        else:
            lines.append(f"    {name}={expression}")
            written[term.number] = name
    groups = ",".join(f"({''.join(f'{atom(v)},' for v in group)})" for group in trace.outputs)
    lines.append(f"    return ({groups},)")
    return "\n".join(lines)


class Rows:
    """`text` for N vehicles: components in rows, vehicles in columns, nothing allocated in a step.

    Invariant: `run` reads the inputs and writes the outputs, whole; it keeps nothing in between
    but what `feedback` hands from outputs to inputs. One caller at a time.

    Attributes:
        inputs: One array per input group. Shape (size, N), vehicles last.
        outputs: One array per output group. Shape (size, N).
        calls: Numpy calls in one step.
        scratch_rows: Rows that hold what lies between input and output.
    """

    def __init__(
        self,
        text: Text,
        sizes: Sequence[int],
        count: int,
        *,
        feedback: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Make the program for `count` vehicles.

        Args:
            text: A law over `Real`, as for `floats`.
            sizes: How many numbers each input group holds.
            count: N.
            feedback: Pairs (output group, input group): copied at the end of each step.
        """
        trace = Trace(text, sizes)
        self.inputs = [np.zeros((size, count)) for size in sizes]
        self.outputs = [np.zeros((len(group), count)) for group in trace.outputs]
        schedule = Schedule(
            trace.inputs, trace.outputs, trace.terms, trace.abreast, max(_PIECE // count, 1)
        )
        lines = schedule.lines + [f"positive(o{out},i{to})" for out, to in feedback]
        self.calls = len(lines)
        self.scratch_rows = schedule.rows
        arrays = {"s": np.zeros((self.scratch_rows, count))}
        arrays |= {f"i{i}": array for i, array in enumerate(self.inputs)}
        arrays |= {f"o{i}": array for i, array in enumerate(self.outputs)}
        rows: dict[str, Array | NDArray[np.bool_]] = {"mask": np.zeros(count, dtype=np.bool_)}
        for i, value in enumerate(schedule.constants):
            # Arrays: numpy converts a Python float anew at every call.
            column = np.array(value)
            rows[f"c{i}"] = column if column.ndim == 0 else np.repeat(column[:, None], count, 1)
        used = sorted(_names(lines))
        for name in used:
            if name not in rows:
                rows[name] = _piece(arrays, *name.split("_"))
        functions = "add,subtract,multiply,divide,negative,sqrt,sin,cos,minimum,maximum"
        functions += ",greater_equal,positive"
        source = [f"def make({functions},rows):"]
        source += [f"    {name}=rows[{name!r}]" for name in used]
        source += ["    def run():", *(f"        {line}" for line in lines or ["pass"])]
        source.append("    return run")
        namespace: dict[str, object] = {}
        # As in `floats`: nothing in this source comes from outside.
        exec(compile("\n".join(source), "<rows>", "exec"), namespace)  # noqa: S102
        make: Callable[..., Callable[[], None]] = namespace["make"]  # type: ignore[assignment]
        self._run = make(*(getattr(np, name) for name in functions.split(",")), rows)

    def run(self) -> None:
        """Read the inputs and write the outputs."""
        self._run()


def _piece(arrays: dict[str, Array], name: str, start: str = "", count: str = "") -> Array:
    """Return an array whole, one row of it, or rows side by side."""
    if not start:
        return arrays[name]
    first, rows = int(start), int(count)
    return arrays[name][first] if rows == 1 else arrays[name][first : first + rows]


def _names(lines: Sequence[str]) -> set[str]:
    """Return the arguments named in calls."""
    inside = (line[line.index("(") + 1 : -1] for line in lines)
    return {part.split("=")[-1] for text in inside for part in text.split(",")}
