"""From one text to programs: Python floats for one vehicle, numpy rows for many.

Both execute the same operations in the same order, so they agree to the last places of sine and
cosine. For one vehicle numbers beat arrays about fifteenfold, because a numpy call on one number
costs what ten multiplications cost; from about a dozen vehicles on rows win. Rows never allocate:
every operation writes to a row of its own, and rows are used again as soon as their last reader
has run, which keeps the working set in the cache.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
_UFUNCS: Final = {
    "add": "add({0},{1},{2})",
    "sub": "subtract({0},{1},{2})",
    "mul": "multiply({0},{1},{2})",
    "div": "divide({0},{1},{2})",
    "neg": "negative({0},{1})",
    "sqrt": "sqrt({0},{1})",
    "sin": "sin({0},{1})",
    "cos": "cos({0},{1})",
    "min": "minimum({0},{1},out={2})",
    "max": "maximum({0},{1},out={2})",
}


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
        operations: Numpy operations on one row in one step.
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
        self.operations = trace.operations
        self.inputs = [np.zeros((size, count)) for size in sizes]
        self.outputs = [np.zeros((len(group), count)) for group in trace.outputs]
        schedule = _Schedule(trace)
        lines, constants = schedule.lines, schedule.constants
        self.scratch_rows = schedule.rows
        rows: dict[str, Array | NDArray[np.bool_]] = {
            f"s{i}": row for i, row in enumerate(np.zeros((self.scratch_rows, count)))
        }
        rows |= {f"i{i}_{j}": a[j] for i, a in enumerate(self.inputs) for j in range(len(a))}
        rows |= {f"o{i}_{j}": a[j] for i, a in enumerate(self.outputs) for j in range(len(a))}
        # Zero-dimensional arrays: numpy converts a Python float anew at every call.
        rows |= {f"c{i}": np.array(value) for i, value in enumerate(constants)}
        rows["mask"] = np.zeros(count, dtype=np.bool_)
        rows |= {f"a{i}": array for i, array in enumerate(self.inputs)}
        rows |= {f"z{i}": array for i, array in enumerate(self.outputs)}
        lines += [f"copyto(a{to},z{out})" for out, to in feedback]
        used = sorted(_names(lines) & rows.keys())
        functions = "add,subtract,multiply,divide,negative,sqrt,sin,cos,minimum,maximum"
        functions += ",greater_equal,copyto"
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


def _names(lines: Sequence[str]) -> set[str]:
    """Return the arguments named in calls."""
    inside = (line[line.index("(") + 1 : -1] for line in lines)
    return {part.split("=")[-1] for text in inside for part in text.split(",")}


class _Schedule:
    """Numpy calls in the order of the terms, and which row each result lies in.

    An output that nothing else is named after is computed where it belongs; one that is an input,
    a constant or another output is copied there at the end.
    """

    def __init__(self, trace: Trace) -> None:
        self.lines: list[str] = []
        self.constants: list[float] = []
        self.rows = 0
        self._known: dict[float, str] = {}
        self._free: list[str] = []
        self._place: dict[int, str] = {}
        self._last: dict[int, int] = {}
        self._masked: Real | None = None  # what `mask` holds the sign of
        for i, group in enumerate(trace.inputs):
            self._place |= {term.number: f"i{i}_{j}" for j, term in enumerate(group)}
        copies: list[tuple[str, Real]] = []
        for i, outputs in enumerate(trace.outputs):
            for j, value in enumerate(outputs):
                if isinstance(value, Term) and value.number not in self._place:
                    self._place[value.number] = f"o{i}_{j}"
                else:
                    copies.append((f"o{i}_{j}", value))
        for term in trace.terms:
            self._last |= {a.number: term.number for a in term.arguments if isinstance(a, Term)}
        for term in trace.terms:
            if term.operation == "choose":
                self._choose(term)
            elif term.operation != INPUT:
                self._operate(term)
        self.lines += [f"copyto({target},{self._atom(value)})" for target, value in copies]

    def _atom(self, value: Real) -> str:
        if isinstance(value, Term):
            return self._place[value.number]
        if value not in self._known:
            self._known[value] = f"c{len(self.constants)}"
            self.constants.append(float(value))
        return self._known[value]

    def _operate(self, term: Term) -> None:
        arguments = [self._atom(argument) for argument in term.arguments]
        self._release(term)  # before the result has its row: it may lie where an argument lay
        self.lines.append(_UFUNCS[term.operation].format(*arguments, self._target(term)))

    def _choose(self, term: Term) -> None:
        sign, not_negative, negative = (self._atom(argument) for argument in term.arguments)
        target = self._target(term)
        if term.arguments[0] is not self._masked:
            self._masked = term.arguments[0]
            self.lines.append(f"greater_equal({sign},{self._atom(0.0)},mask)")
        self.lines.append(f"copyto({target},{negative})")
        self.lines.append(f"copyto({target},{not_negative},where=mask)")
        self._release(term)  # after: the first copy must not destroy what the second one reads

    def _target(self, term: Term) -> str:
        if term.number not in self._place:
            if not self._free:
                self._free.append(f"s{self.rows}")
                self.rows += 1
            self._place[term.number] = self._free.pop()
        return self._place[term.number]

    def _release(self, term: Term) -> None:
        """Free the scratch rows whose last reader is `term`."""
        read = {a.number for a in term.arguments if isinstance(a, Term)}
        ending = {self._place[n] for n in read if self._last[n] == term.number}
        self._free += sorted(name for name in ending if name.startswith("s"))
