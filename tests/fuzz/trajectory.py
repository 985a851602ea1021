"""A trajectory: any bytes are refused by the one named error, or are what their document writes."""

import random

from tests.reference.trajectory import read, shown
from wire.tasking import FlyRequest, FlyStatus
from wire.trajectory import (
    AlongCourse,
    Document,
    Facing,
    MalformedTrajectoryError,
    Polynomial,
    Reference,
    Turning,
    Wave,
    Waves,
    decode_untrusted,
    encode,
)

_HERE = Reference(-353_632_610, 1_491_652_300, 584_090)
_LEG = Polynomial(4.0, Turning((1.0, 0.1)), ((0.0, 1.0), (0.0, 2.0, -0.5), (-5.0,)))
_ORBIT = Waves(9.0, Facing(1.0, 2.0), (1.0, 2.0, -5.0), ((Wave(3.0, 1.0, 0.0),), (), ()))


class Target:
    def __init__(self, rng: random.Random) -> None:
        course = Polynomial(2.0, AlongCourse(), ((0.0, 1.0), (), (-5.0,)))
        documents = [(_LEG,), (_ORBIT,), (_LEG, _ORBIT, course), (_LEG,) * 40]
        self.seeds = [encode(Document(_HERE, pieces)) for pieces in documents]
        self.seeds += [bytes((1, 0, 0, 0, 7)) + b"identity", bytes(35) + b"too far away"]
        rng.shuffle(self.seeds)
        self.taken = 0

    def take(self, data: bytes) -> None:
        try:
            document = decode_untrusted(data)
        except MalformedTrajectoryError:
            pass
        else:
            self.taken += 1
            assert encode(document) == data
            assert read(data) == shown(document)
        request, status = FlyRequest.parse(data), FlyStatus.parse(data)
        assert request is None or request.encode() == data
        assert status is None or status.encode() == data

    def finish(self) -> None:
        """Check that some inputs came through whole."""
        assert self.taken
