"""The third program made of a text: machine code for many vehicles, by numba (extra `jit`).

The text is the one that floats and rows run, the operations are the same and in the same order, and
no licence is given to round differently, so the results are those of the floats, to the last place
of sine and cosine. What makes it fast is that one loop over the vehicles holds all of them: eight
vehicles share an instruction where the processor has such. For that the compiler must see that no
result overwrites an input of another vehicle; so all rows lie in one array, and their distance is
written into the code.

Compiling takes seconds. With a directory to keep it in, it is done once for each text and number of
vehicles: the directory must be writable for nobody who may not run code here.
"""

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numba
import numpy as np

from tracing.executors import EXPRESSIONS, Array, Text, Trace
from tracing.terms import INPUT, Real, Term

_Step: TypeAlias = Callable[[Array], None]


class Compiled:
    """`text` for N vehicles as machine code, used as `Rows` is.

    Invariant: as that of `Rows`; from construction on nothing is compiled.

    Attributes:
        inputs: One array per input group. Shape (size, N), vehicles last.
        outputs: One array per output group. Shape (size, N).
    """

    def __init__(
        self,
        text: Text,
        sizes: Sequence[int],
        count: int,
        *,
        feedback: Sequence[tuple[int, int]] = (),
        kept_in: Path | None = None,
    ) -> None:
        """Compile the program for `count` vehicles, and run it once.

        Args:
            text: A law over `Real`, as for `floats`.
            sizes: How many numbers each input group holds.
            count: N.
            feedback: Pairs (output group, input group): copied at the end of each step.
            kept_in: Directory for the machine code; it is made if it is not there.
        """
        trace = Trace(text, sizes)
        groups = [*sizes, *(len(group) for group in trace.outputs)]
        starts = [int(start) for start in np.cumsum([0, *groups])]
        self._all = np.zeros(starts[-1] * count)
        arrays = [
            self._all[start * count : (start + size) * count].reshape(size, count)
            for start, size in zip(starts, groups, strict=False)
        ]
        self.inputs, self.outputs = arrays[: len(sizes)], arrays[len(sizes) :]
        self._feedback = [(self.outputs[out], self.inputs[to]) for out, to in feedback]
        self._step = _compiled(compiled_source(trace, count), kept_in)
        self._step(self._all)
        self._all[:] = 0.0

    def run(self) -> None:
        """Read the inputs and write the outputs; hand over what is fed back."""
        self._step(self._all)
        for out, to in self._feedback:
            np.copyto(to, out)


def compiled_source(trace: Trace, count: int) -> str:
    """Return a loop over `count` vehicles whose rows lie one after the other in ``a``."""
    lines = ["def program(a):", f"    for k in range({count}):"]
    written: dict[int, str] = {}
    row = 0

    def atom(value: Real) -> str:
        return written[value.number] if isinstance(value, Term) else f"({float(value)!r})"

    for group in trace.inputs:
        for term in group:
            written[term.number] = f"v{term.number}"
            lines.append(f"        v{term.number}=a[{row * count}+k]")
            row += 1
    for term in trace.terms:
        if term.operation != INPUT:
            written[term.number] = f"v{term.number}"
            expression = EXPRESSIONS[term.operation].format(*map(atom, term.arguments))
            lines.append(f"        v{term.number}={expression}")
    for outputs in trace.outputs:
        for value in outputs:
            lines.append(f"        a[{row * count}+k]={atom(value)}")
            row += 1
    return "\n".join(lines)


def _compiled(source: str, kept_in: Path | None) -> _Step:
    name = "<compiled>"
    if kept_in is not None:
        # Numba keeps machine code beside the file that a function stands in.
        kept_in.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = kept_in / f"{hashlib.sha256(source.encode()).hexdigest()}.py"
        if not path.exists():
            whole = path.with_suffix(f".{os.getpid()}")
            whole.write_text(source)
            whole.replace(path)
        name = str(path)
    namespace: dict[str, object] = {"sqrt": math.sqrt, "sin": math.sin, "cos": math.cos}
    # Machine code that was kept looks for its module by name.
    namespace |= {"inf": math.inf, "nan": math.nan, "__name__": __name__}
    # The source is written above, from names of our own making and repr() of floats.
    exec(compile(source, name, "exec"), namespace)  # noqa: S102
    program: _Step = namespace["program"]  # type: ignore[assignment]
    # Division as ufuncs divide, without a branch.
    return numba.njit(cache=kept_in is not None, error_model="numpy")(program)
