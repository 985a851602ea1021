"""An autopilot's parameters at the end of a link that loses, doubles and delays; no clock but ours.

The far end is the simulator's own server: its packing of the file and its protocols share nothing
with what reads them.
"""

import heapq
import itertools
import random

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.ftp import FileTransfer
from sim.autopilot.outbox import Outbox
from sim.autopilot.parameters import ParameterProtocol
from sim.autopilot.parameters import Parameters as Table

STEP_NS = 10_000_000
OWN = dialect.MAVLink(None, 255, 190)


def pack(message):
    frame = bytes(message.pack(OWN))
    OWN.seq = (OWN.seq + 1) & 0xFF
    return frame


class Far:
    """An autopilot that has nothing but parameters, and files if it `has_files`."""

    def __init__(self, seed=0, loss=0.0, delay_ns=0, has_files=True):
        self.table = Table()
        self.now = 10**12
        self.loss = loss
        self.has_files = has_files
        self.refused = {}
        self.frames = 0
        self._delay_ns = delay_ns
        self._chance = random.Random(seed)
        self._outbox = Outbox(1)
        self._ftp = FileTransfer(self.table, self._outbox)
        self._protocol = ParameterProtocol(self.table, self._outbox)
        self._parser = dialect.MAVLink(None)
        self._up, self._down = [], []
        self._order = itertools.count()

    def run(self, aboard, seconds, until, operation=None):
        """Let time pass until something is so; return after how many seconds."""
        for step in range(round(seconds * 1e9) // STEP_NS):
            if until():
                return step * STEP_NS / 1e9
            self.now += STEP_NS
            asked = operation() if operation is not None else None
            for frame in aboard.outgoing(1, asked, self.now, pack):
                self._put(self._up, frame)
            for frame in self._due(self._up):
                self._obey(self._parser.decode(bytearray(frame)))
            self._ftp.step(STEP_NS / 1e9)
            self._protocol.step(STEP_NS / 1e9)
            for frame in self._outbox.outgoing():
                self._put(self._down, frame)
            for frame in self._due(self._down):
                aboard.receive(frame, self.now)
        raise AssertionError(f"not in {seconds} s")

    def answer(self, message):
        """Say something to the ground."""
        self._outbox.send(message)

    def _obey(self, message):
        self.frames += 1
        match message.get_type():
            case "FILE_TRANSFER_PROTOCOL" if self.has_files:
                self._ftp.receive(message)
            case "PARAM_REQUEST_LIST":
                self._protocol.request_list()
            case "PARAM_REQUEST_READ":
                self._protocol.request_read(message.param_id, message.param_index)
            case "PARAM_SET" if message.param_id in self.refused:
                error = self.refused[message.param_id]
                if error is not None:
                    self.answer(
                        dialect.MAVLink_param_error_message(
                            255, 190, message.param_id.encode(), -1, error
                        )
                    )
            case "PARAM_SET":
                self._protocol.set(message.param_id, message.param_value)

    def _put(self, queue, frame):
        for _ in range(1 + (self.loss > 0 and self._chance.random() < 0.05)):
            if self._chance.random() >= self.loss:
                due = self.now + round(self._delay_ns * self._chance.uniform(0.5, 1.5))
                heapq.heappush(queue, (due, next(self._order), frame))

    def _due(self, queue):
        while queue and queue[0][0] <= self.now:
            yield heapq.heappop(queue)[2]
