"""Inputs close to valid ones: every input is a seed, changed a few times where parsers decide."""

import random
from collections.abc import Iterator, Sequence

EDGES = bytes((0, 1, 2, 3, 4, 0x0A, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xFD, 0xFE, 0xFF))
MOST_BYTES = 1500


def inputs(seeds: Sequence[bytes], rng: random.Random) -> Iterator[bytes]:
    """Return mutants without end. A tenth are pure noise, a few the seeds themselves."""
    while True:
        if rng.random() < 0.1:
            yield rng.randbytes(rng.choice((0, 1, 4, 21, 76, 84, rng.randrange(400))))
            continue
        data = bytearray(rng.choice(seeds))
        while rng.random() < 0.7:
            _mutate(data, seeds, rng)
        yield bytes(data[:MOST_BYTES])


def _mutate(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    match rng.randrange(9):
        case 0 if data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        case 1 if data:
            data[at % len(data)] = rng.choice(EDGES)
        case 2 if data:  # headers are where most is decided
            data[rng.randrange(min(8, len(data)))] = rng.randrange(256)
        case 3 if data:  # a length or a count that is one off
            data[at % len(data)] = (data[at % len(data)] + rng.choice((1, 255))) % 256
        case 4:
            del data[at:]
        case 5:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        case 6:
            del data[at : at + rng.randrange(1, 9)]
        case 7:
            data[at:] = rng.choice(seeds)[at:]
        case 8:
            data += rng.choice(seeds)
