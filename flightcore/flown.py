"""A trajectory document as something that can be sampled and flown, and back."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, assert_never

import numpy as np

from flightcore.trajectory.harmonic import Harmonic
from flightcore.trajectory.harmonic import Wave as HarmonicWave
from flightcore.trajectory.polynomial import Piecewise, Point
from flightcore.trajectory.sampled import (
    HEADING,
    POSITION,
    ROWS,
    Array,
    Trajectory,
    face,
    face_course,
)
from wire.trajectory import (
    MIN_PIECE_S,
    AlongCourse,
    Document,
    Facing,
    Piece,
    Polynomial,
    Reference,
    Row,
    Turning,
    Wave,
    Waves,
)


@dataclass(frozen=True, slots=True)
class Flown:
    """A document's pieces, one after the other.

    Attributes:
        document: What is flown.
        offset_n: Where its frame lies in the frame it is sampled in, NED. [m]
    """

    document: Document
    offset_n: Point = (0.0, 0.0, 0.0)
    _pieces: tuple["_Headed", ...] = field(init=False)
    _starts: Array = field(init=False)

    def __post_init__(self) -> None:
        """Lay the pieces out in time."""
        pieces = self.document.pieces
        starts = np.cumsum([0.0, *(piece.duration for piece in pieces[:-1])])
        object.__setattr__(self, "_pieces", tuple(map(_Headed, pieces)))
        object.__setattr__(self, "_starts", starts)

    @property
    def duration(self) -> float:
        """Return how long it lasts [s]."""
        return float(self._starts[-1]) + self.document.pieces[-1].duration

    @property
    def starts(self) -> Array:
        """Return when each piece begins. Shape (S,). [s]."""
        return self._starts

    def sample(self, times: Array) -> Array:
        """Return flat outputs. Shape (18, n)."""
        flat = np.empty((ROWS, len(times)))
        chosen = np.clip(np.searchsorted(self._starts, times, side="right") - 1, 0, None)
        for index in np.unique(chosen):
            within = chosen == index
            flat[:, within] = self.sample_piece(int(index), times[within] - self._starts[index])
        return flat

    def sample_piece(self, index: int, since: Array) -> Array:
        """Return flat outputs of one piece, for times since it began. Shape (18, n)."""
        flat = self._pieces[index].sample(since)
        flat[POSITION] += np.array(self.offset_n)[:, None]
        return flat


class Jump(NamedTuple):
    """A step between one piece and the next, of position, velocity or acceleration."""

    at_s: float
    order: int  # 0, 1, 2: of what
    size: float  # [m], [m/s], [m/s2]


# What is flown as if it were smooth: less than a vehicle's control makes of any reference.
SMOOTH: Final = (0.01, 0.05, 1.0)


def first_jump(flown: Flown) -> Jump | None:
    """Return the first piece's beginning that does not follow from the piece before it.

    Steps within `SMOOTH` pass.
    """
    pieces = flown.document.pieces
    for index in range(1, len(pieces)):
        before = flown.sample_piece(index - 1, np.array([pieces[index - 1].duration]))
        after = flown.sample_piece(index, np.zeros(1))
        for order, allowed in enumerate(SMOOTH):
            rows = slice(3 * order, 3 * order + 3)
            size = float(np.linalg.norm(after[rows] - before[rows]))
            if not size <= allowed:
                return Jump(float(flown.starts[index]), order, size)
    return None


class Stretch(NamedTuple):
    """Samples of one piece, so close that nothing between them is farther than `slack` from one.

    Attributes:
        times: Of the document. Shape (n,). [s]
        positions: NED, shape (3, n). [m]
        slack: [m]
    """

    times: Array
    positions: Array
    slack: float


SPACING: Final = 0.2  # of samples along the way [m]
MOST_SAMPLES: Final = 200_000


def closely(flown: Flown) -> Iterator[Stretch]:
    """Yield the whole trajectory in samples that miss nothing larger than their slack."""
    pieces = flown.document.pieces
    farthest = [_fastest(piece) * piece.duration for piece in pieces]
    spacing = max(SPACING, sum(farthest) / MOST_SAMPLES)
    for index, piece in enumerate(pieces):
        count = math.ceil(farthest[index] / spacing) + 1
        since = np.linspace(0.0, piece.duration, count + 1)
        positions = flown.sample_piece(index, since)[POSITION]
        yield Stretch(since + flown.starts[index], positions, 0.5 * farthest[index] / count)


def _fastest(piece: Piece) -> float:
    """Return a speed that a piece nowhere exceeds [m/s].

    A polynomial over an interval lies among its Bernstein coefficients.
    """
    if isinstance(piece, Waves):
        return math.hypot(*(sum(abs(w.amplitude * w.rate) for w in axis) for axis in piece.waves))
    degree = max(1, *(len(row) - 1 for row in piece.rows)) - 1
    ordinates = np.zeros((3, degree + 1))
    for axis, row in enumerate(piece.rows):
        for k, c in enumerate(row[1:]):
            scaled = (k + 1) * c * piece.duration**k / math.comb(degree, k)
            ordinates[axis] += [math.comb(i, k) * scaled for i in range(degree + 1)]
    return float(np.linalg.norm(ordinates, axis=0).max())


class _Headed:
    """A piece's motion with its heading."""

    def __init__(self, piece: Piece) -> None:
        self._heading = piece.heading
        yaw = piece.heading.row if isinstance(piece.heading, Turning) else ()
        self._motion: Trajectory
        self._yaw: Piecewise | None = None
        match piece:
            case Polynomial(duration=duration, rows=rows):
                self._motion = _piecewise(duration, (*rows, yaw))
            case Waves(duration=duration, centre=centre, waves=waves):
                north, east, down = (tuple(HarmonicWave(*w) for w in axis) for axis in waves)
                self._motion = Harmonic(centre, (north, east, down), duration)
                self._yaw = _piecewise(duration, ((), (), (), yaw))
            case _:
                assert_never(piece)

    def sample(self, since: Array) -> Array:
        """Return flat outputs, for times since the piece began. Shape (18, n)."""
        flat = self._motion.sample(since)
        match self._heading:
            case Facing(north=north, east=east):
                face(flat, north, east)
            case AlongCourse():
                face_course(flat)
            case Turning() if self._yaw is not None:
                flat[HEADING] = self._yaw.sample(since)[HEADING]
            case Turning():
                pass
        return flat


def _piecewise(duration: float, rows: tuple[Row, ...]) -> Piecewise:
    coefficients = np.zeros((1, 4, max(1, *map(len, rows))))
    for axis, row in enumerate(rows):
        coefficients[0, axis, : len(row)] = row
    return Piecewise(np.array([0.0, duration]), coefficients)


def document_of(motions: Sequence[Piecewise | Harmonic], reference: Reference) -> Document:
    """Return what `motions`, flown one after the other, are as a document."""
    pieces: list[Piece] = []
    for motion in motions:
        pieces += [_waves(motion)] if isinstance(motion, Harmonic) else _polynomials(motion)
    return Document(reference, tuple(pieces))


def _waves(motion: Harmonic) -> Waves:
    north, east, down = motion.centre_n
    heading = Facing(north, east) if motion.yaw is None else Turning((motion.yaw,))
    axes = (tuple(Wave(*wave) for wave in axis) for axis in motion.waves)
    return Waves(
        motion.duration, heading, (north, east, down), (next(axes), next(axes), next(axes))
    )


def _polynomials(motion: Piecewise) -> list[Piece]:
    """Return the pieces; a short leg has one of no duration between speeding up and braking."""
    pieces: list[Piece] = []
    for duration, rows in zip(np.diff(motion.breaks), motion.coefficients, strict=True):
        if duration >= MIN_PIECE_S:
            north, east, down, yaw = (_row(row) for row in rows)
            pieces.append(Polynomial(float(duration), Turning(yaw), (north, east, down)))
    return pieces


def _row(coefficients: Array) -> Row:
    used = np.flatnonzero(coefficients)
    return tuple(coefficients[: used[-1] + 1].tolist()) if len(used) else ()
