"""Which numpy call does what, in which order and on which rows: the plan behind `Rows`.

What a call costs hardly depends on how much it does while that is little, so what lies side by side
is done in one: equal operations whose results and operands are neighbours in memory, a piece of the
state times a number, say. To this end terms are laid into blocks of neighbouring rows: inputs and
outputs lie as their groups are; what a text holds to be `abreast` lies side by side, and so do the
operands of what does.

A block is free again when the last reader of its terms has run, and the next one of its length is
put there, which keeps the working set in the cache. Calls are bounded for the same reason: of
thousands of vehicles each row is worth a call of its own.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tracing.terms import INPUT, Group, Real, Term

_CALLS: Final = {
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
_CHOOSE: Final = "choose"


@dataclass(slots=True)
class _Block:
    """Neighbouring rows.

    Attributes:
        terms: What each row holds; None where it is an output that is copied there.
        home: Name of the array that they lie in.
        start: Which row of it is the first; None while they have no place.
        awaited: Calls that have still to write or read them.
    """

    terms: list[Term | None]
    home: str
    start: int | None = None
    awaited: int = 0


@dataclass(slots=True)
class _Call:
    """Equal operations on neighbours. `blocks` are those it touches, `after` who waits for it."""

    terms: list[Term]
    blocks: list[_Block] = field(default_factory=list)
    after: list["_Call"] = field(default_factory=list)
    waits_for: int = 0


class Schedule:
    """The calls of a trace.

    Attributes:
        lines: Numpy calls in their order. An operand ``s3_2`` is rows 3 and 4 of the array ``s``.
        constants: What ``c0``, ``c1``, ... are: one number, or one for each row.
        rows: How many the array ``s`` has.
    """

    def __init__(
        self, inputs: Sequence[Group], outputs: Sequence[Group], terms: Sequence[Term],
        abreast: Sequence[Group], longest: int,
    ) -> None:  # fmt: skip
        """Plan the calls.

        Args:
            inputs: Groups, which lie in the arrays ``i0``, ``i1``, ...
            outputs: Groups, which lie in the arrays ``o0``, ``o1``, ...
            terms: All that `outputs` depend on, in an order in which they can be computed.
            abreast: Groups that shall lie side by side.
            longest: How many rows a call may work on.
        """
        self.lines: list[str] = []
        self.constants: list[float | tuple[float, ...]] = []
        self.rows = 0
        self._known: dict[str, str] = {}
        self._free: dict[int, list[int]] = {}
        self._longest = longest
        self._masked: Real | None = None  # what `mask` holds the sign of
        self._blocks: list[_Block] = []
        self._place: dict[int, tuple[_Block, int]] = {}
        self._lay(inputs, outputs, terms, abreast)
        for call in self._ordered(self._calls()):
            self._emit(call)
        for i, group in enumerate(outputs):
            for j, value in enumerate(group):
                if not (isinstance(value, Term) and self._is_at(value, f"o{i}", j)):
                    self.lines.append(f"positive({self._operand([value])},o{i}_{j}_1)")

    # Where everything lies.

    def _lay(
        self, inputs: Sequence[Group], outputs: Sequence[Group], terms: Sequence[Term],
        abreast: Iterable[Group],
    ) -> None:  # fmt: skip
        for i, group in enumerate(inputs):
            self._put(group, f"i{i}")
        for i, group in enumerate(outputs):
            self._put(group, f"o{i}")
        numbers = {term.number for term in terms}
        for group in abreast:
            self._put_abreast([v for v in group if not isinstance(v, Term) or v.number in numbers])
        for block in self._blocks:  # which grow meanwhile
            for run in _alike(block.terms):
                for operands in zip(*(term.arguments for term in run), strict=True):
                    self._put_abreast(operands)
        made: dict[tuple[str | Real | None, ...], Term] = {
            (term.operation, *term.arguments): term for term in terms
        }
        for term in terms:
            if term.number not in self._place:
                self._put(self._row_of(term, made), "s")

    def _put(self, values: Sequence[Real], home: str) -> None:
        """Make a block of values, of which those that lie elsewhere will be copied."""
        block = _Block([], home, None if home == "s" else 0)
        self._blocks.append(block)
        for row, value in enumerate(values):
            is_new = isinstance(value, Term) and value.number not in self._place
            block.terms.append(value if isinstance(value, Term) and is_new else None)
            if isinstance(value, Term) and is_new:
                self._place[value.number] = block, row

    def _put_abreast(self, values: Sequence[Real]) -> None:
        """Let those that have no place yet lie side by side, as far as none lies between."""
        run: list[Term] = []
        for value in (*values, 0.0):
            is_free = self._is_free(value) and value not in run
            if isinstance(value, Term) and is_free and len(run) < self._longest:
                run.append(value)
                continue
            if len(run) > 1:
                self._put(run, "s")
            run = [value] if isinstance(value, Term) and is_free else []

    def _is_free(self, value: Real | None) -> bool:
        return isinstance(value, Term) and value.number not in self._place

    def _row_of(self, term: Term, made: dict[tuple[str | Real | None, ...], Term]) -> list[Term]:
        """Return a term and those that do the same with the neighbours of its operands."""
        row = [term]
        while len(row) < self._longest:
            operands = [self._next(a) if isinstance(a, Term) else a for a in row[-1].arguments]
            following = made.get((term.operation, *operands))
            if following is None or not self._is_free(following) or following in row:
                break
            row.append(following)
        return row

    def _next(self, term: Term) -> Term | None:
        """Return the neighbour in the next row."""
        block, row = self._place[term.number]
        return block.terms[row + 1] if row + 1 < len(block.terms) else None

    def _is_at(self, term: Term, home: str, row: int) -> bool:
        block, at = self._place[term.number]
        return block.home == home and at == row

    # What is done in one call, and when.

    def _calls(self) -> list[_Call]:
        calls: list[_Call] = []
        for block in self._blocks:
            for run in _alike(block.terms):
                calls.append(_Call([run[0]]))
                for before, term in pairwise(run):
                    joined = calls[-1].terms
                    if len(joined) < self._longest and self._joins(before, term):
                        joined.append(term)
                    else:
                        calls.append(_Call([term]))
        return sorted(calls, key=_first)

    def _joins(self, before: Term, term: Term) -> bool:
        """Tell whether one call may do both: results and operands are neighbours."""
        pairs = list(zip(before.arguments, term.arguments, strict=True))
        if term.operation == _CHOOSE:
            sign, other = pairs.pop(0)
            if sign is not other:
                return False
        return all(self._follows(a, b) for a, b in pairs)

    def _follows(self, a: Real, b: Real) -> bool:
        if not isinstance(a, Term) or not isinstance(b, Term):
            return not isinstance(a, Term) and not isinstance(b, Term)
        (block, row), (other, next_row) = self._place[a.number], self._place[b.number]
        return block is other and next_row == row + 1

    def _ordered(self, calls: list[_Call]) -> list[_Call]:
        """Return the calls in an order in which they can be made, the first that was written first.

        Where some wait for each other, because each holds a term that the other needs, the first of
        them is split.
        """
        made = self._sorted(calls)
        while len(made) < len(calls):
            done = {id(call) for call in made}
            stuck = next(c for c in calls if id(c) not in done and len(c.terms) > 1)
            calls = [c for c in calls if c is not stuck] + [_Call([t]) for t in stuck.terms]
            calls.sort(key=_first)
            made = self._sorted(calls)
        return made

    def _sorted(self, calls: list[_Call]) -> list[_Call]:
        maker = {term.number: call for call in calls for term in call.terms}
        for call in calls:
            call.after, call.waits_for = [], 0
        for call in calls:
            read = [a for term in call.terms for a in term.arguments if isinstance(a, Term)]
            makers = {id(maker[a.number]): maker[a.number] for a in read if a.number in maker}
            for earlier in makers.values():
                earlier.after.append(call)
            call.waits_for = len(makers)
            touched = [self._place[term.number][0] for term in (*call.terms, *read)]
            call.blocks = list({id(block): block for block in touched}.values())
        ready = [(_first(call), call) for call in calls if call.waits_for == 0]
        heapq.heapify(ready)
        made = []
        while ready:
            _, call = heapq.heappop(ready)
            made.append(call)
            for later in call.after:
                later.waits_for -= 1
                if later.waits_for == 0:
                    heapq.heappush(ready, (_first(later), later))
        for block in self._blocks:
            block.awaited = 0
        for call in made:
            for block in call.blocks:
                block.awaited += 1
        return made

    # What it is written as.

    def _emit(self, call: _Call) -> None:
        terms = call.terms
        columns = list(zip(*(term.arguments for term in terms), strict=True))
        if terms[0].operation == _CHOOSE:
            (sign, *_), *branches = columns
            not_negative, negative = map(self._operand, branches)
            target = self._target(terms)
            if sign is not self._masked:
                self._masked = sign
                self.lines.append(f"greater_equal({self._operand([sign])},{self._atom(0.0)},mask)")
            self.lines.append(f"positive({negative},{target})")
            self.lines.append(f"positive({not_negative},{target},where=mask)")
            self._release(call)  # after: the first call must not destroy what the second one reads
            return
        operands = list(map(self._operand, columns))
        if len(terms) > 1:
            self.lines.append(_CALLS[terms[0].operation].format(*operands, self._target(terms)))
            self._release(call)  # after: a result must not lie across its operands
        else:
            self._release(call)  # before: the result may lie where an operand lay
            self.lines.append(_CALLS[terms[0].operation].format(*operands, self._target(terms)))

    def _operand(self, values: Sequence[Real]) -> str:
        first = values[0]
        if isinstance(first, Term):
            block, row = self._place[first.number]
            assert block.start is not None
            return f"{block.home}_{block.start + row}_{len(values)}"
        numbers = tuple(float(value) for value in values if not isinstance(value, Term))
        return self._atom(numbers[0] if len(set(map(repr, numbers))) == 1 else numbers)

    def _atom(self, value: float | tuple[float, ...]) -> str:
        text = repr(value)  # which tells 0.0 from -0.0
        if text not in self._known:
            self._known[text] = f"c{len(self.constants)}"
            self.constants.append(value)
        return self._known[text]

    def _target(self, terms: Sequence[Term]) -> str:
        block = self._place[terms[0].number][0]
        if block.start is None:
            free = self._free.setdefault(len(block.terms), [])
            if not free:
                free.append(self.rows)
                self.rows += len(block.terms)
            block.start = free.pop()
        return self._operand(terms)

    def _release(self, call: _Call) -> None:
        """Free the blocks that nobody needs after this call."""
        for block in call.blocks:
            block.awaited -= 1
            if block.awaited == 0 and block.home == "s" and block.start is not None:
                self._free.setdefault(len(block.terms), []).append(block.start)


def _first(call: _Call) -> int:
    return call.terms[0].number


def _alike(terms: Iterable[Term | None]) -> list[list[Term]]:
    """Return the runs of terms with the same operation."""
    runs: list[list[Term]] = []
    before: Term | None = None
    for term in terms:
        if term is not None and term.operation != INPUT:
            if before is not None and before.operation == term.operation:
                runs[-1].append(term)
            else:
                runs.append([term])
        before = term
    return runs
