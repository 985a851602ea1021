"""Numbers that remember how they came about, so that one text of a law yields several programs.

A law is a Python function over `Real`: it may be called with floats, and is then ordinary
arithmetic. Called with terms it leaves a graph behind, from which `tracing.executors`
emits code for one vehicle or for many. Laws branch on nothing but their structure: `minimum`,
`maximum` and `choose` take the place of ``if``.

While the graph grows, what is known is done away with: constants are folded, adding 0 and
multiplying by 0 or 1 vanish, and equal sub-expressions become one. A vehicle without a drag
coefficient so costs nothing for the drag it has not.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

CONSTANT: Final = "constant"
INPUT: Final = "input"
_COMMUTES: Final = frozenset({"add", "mul"})


class Term:
    """A number of a graph: an operation on other terms and constants, or an input.

    Invariant: within one graph, equal operations on equal arguments are the same object.

    Attributes:
        graph: What it belongs to.
        number: Its place in the order of creation; arguments have smaller ones.
        operation: `INPUT`, or the name of an operation.
        arguments: Terms and constants it is made of.
    """

    __slots__ = ("arguments", "graph", "number", "operation")

    def __init__(
        self, graph: "Graph", number: int, operation: str, arguments: tuple["Real", ...]
    ) -> None:
        self.graph = graph
        self.number = number
        self.operation = operation
        self.arguments = arguments

    def __add__(self, other: "Real") -> "Real":
        return _sum(self, other)

    def __radd__(self, other: float) -> "Real":
        return _sum(self, other)

    def __sub__(self, other: "Real") -> "Real":
        if isinstance(other, float | int) and other == 0.0:
            return self
        if other is self:
            return 0.0
        return self.graph.term("sub", self, other)

    def __rsub__(self, other: float) -> "Real":
        return -self if other == 0.0 else self.graph.term("sub", other, self)

    def __mul__(self, other: "Real") -> "Real":
        return _product(self, other)

    def __rmul__(self, other: float) -> "Real":
        return _product(self, other)

    def __truediv__(self, other: "Real") -> "Real":
        if isinstance(other, float | int):
            return _product(self, 1.0 / other)
        return self.graph.term("div", self, other)

    def __rtruediv__(self, other: float) -> "Real":
        return 0.0 if other == 0.0 else self.graph.term("div", other, self)

    def __neg__(self) -> "Real":
        if self.operation == "neg":
            return self.arguments[0]
        return self.graph.term("neg", self)


Real: TypeAlias = Term | float
Group: TypeAlias = tuple[Real, ...]


class Graph:
    """The terms of one trace, in the order in which they can be computed.

    Attributes:
        terms: All of them.
        abreast: Groups that shall lie side by side, if they can.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Term] = {}
        self.abreast: list[Group] = []
        self.terms: list[Term] = []

    def inputs(self, count: int) -> tuple[Term, ...]:
        """Return `count` new inputs."""
        first = len(self.terms)
        made = tuple(Term(self, first + i, INPUT, ()) for i in range(count))
        self.terms += made
        return made

    def term(self, operation: str, *arguments: Real) -> Term:
        """Return the term for an operation, the one that exists if there is one."""
        arguments = tuple(a if isinstance(a, Term) else float(a) for a in arguments)
        if operation in _COMMUTES:
            arguments = tuple(sorted(arguments, key=_order))
        key = (operation, *arguments)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Term(self, len(self.terms), operation, arguments)
            self.terms.append(found)
        return found


def needed(outputs: Iterable[Real]) -> list[Term]:
    """Return the terms that `outputs` depend on, inputs too, in the order of creation."""
    open_: list[Term] = [out for out in outputs if isinstance(out, Term)]
    found: dict[int, Term] = {}
    while open_:
        term = open_.pop()
        if term.number not in found:
            found[term.number] = term
            open_ += [a for a in term.arguments if isinstance(a, Term)]
    return [found[number] for number in sorted(found)]


def sqrt(x: Real) -> Real:
    """Return the square root."""
    return x.graph.term("sqrt", x) if isinstance(x, Term) else math.sqrt(x)


def sin(x: Real) -> Real:
    """Return the sine."""
    return x.graph.term("sin", x) if isinstance(x, Term) else math.sin(x)


def cos(x: Real) -> Real:
    """Return the cosine."""
    return x.graph.term("cos", x) if isinstance(x, Term) else math.cos(x)


def minimum(x: Real, y: Real) -> Real:
    """Return the smaller one; `x` where they cannot be compared."""
    graph = _graph_of((x, y))
    if graph is None:
        return y if y < x else x  # type: ignore[operator]
    return graph.term("min", x, y)


def maximum(x: Real, y: Real) -> Real:
    """Return the larger one; `x` where they cannot be compared."""
    graph = _graph_of((x, y))
    if graph is None:
        return y if y > x else x  # type: ignore[operator]
    return graph.term("max", x, y)


def choose(sign: Real, not_negative: Real, negative: Real) -> Real:
    """Return `not_negative` where `sign` >= 0, `negative` elsewhere."""
    graph = _graph_of((sign, not_negative, negative))
    if graph is None:
        return not_negative if sign >= 0.0 else negative  # type: ignore[operator]
    if not isinstance(sign, Term):
        return not_negative if sign >= 0.0 else negative
    return (
        not_negative
        if not_negative is negative
        else graph.term("choose", sign, not_negative, negative)
    )


def clamp(x: Real, low: Real, high: Real) -> Real:
    """Return `x` limited to [low, high]; NaN stays NaN."""
    return minimum(maximum(x, low), high)


def abreast(values: Iterable[Real]) -> Group:
    """Return a group of values that are made alike: for many vehicles, they shall lie side by side.

    It changes nothing but the pace.
    """
    group = tuple(values)
    graph = _graph_of(group)
    if graph is not None:
        graph.abreast.append(group)
    return group


def _sum(x: Term, y: Real) -> Real:
    return x if not isinstance(y, Term) and y == 0.0 else x.graph.term("add", x, y)


def _product(x: Term, y: Real) -> Real:
    if not isinstance(y, Term):
        if y == 0.0:
            return 0.0
        if y == 1.0:
            return x
        if y == -1.0:
            return -x
    return x.graph.term("mul", x, y)


def _graph_of(values: Sequence[Real]) -> Graph | None:
    return next((value.graph for value in values if isinstance(value, Term)), None)


def _order(value: Real) -> tuple[int, float]:
    return (0, value.number) if isinstance(value, Term) else (1, value)
