"""What is on the companion's line in a test of cores: an autopilot set up as the gate wants.

It answers what the companion asks of its own accord, so that only what came from the ground is
left to look at.
"""

import math

from pymavlink.dialects.v20 import ardupilotmega as dialect

from wire.mavlink import FrameSplitter, message_id

SAFE = {
    "FS_GCS_ENABLE": 1,
    "FS_OPTIONS": 0,
    "FS_GCS_TIMEOUT": 5,
    "FENCE_ENABLE": 1,
    "FS_EKF_ACTION": 1,
    "FS_EKF_THRESH": 0.8,
    "MAV_GCS_SYSID": 255,
}


def parameter_value(name, value):
    """What ArduPilot answers to a read by name, and announces when one is set."""
    message = dialect.MAVLink_param_value_message(name.encode(), value, 9, len(SAFE), 0xFFFF)
    return bytes(message.pack(dialect.MAVLink(None, srcSystem=1, srcComponent=1)))


class Line:
    """The far end of the line. `own` keeps what the companion said, but for reads."""

    def __init__(self):
        self.parameters = dict(SAFE)
        self.answers = True
        self.own = []
        self.asked = []
        self._splitter = FrameSplitter()

    def take(self, companion, now):
        """Answer the companion; return the frames from the ground that it let through."""
        from_ground = []
        for frame in self._splitter.receive(companion.outgoing_line()):
            if frame[5] != companion.autopilot.sysid:
                from_ground.append(frame)
            else:
                self._answer(companion, frame, now)
        return from_ground

    def _answer(self, companion, frame, now):
        message = dialect.MAVLink(None).decode(bytearray(frame))
        if message_id(frame) == dialect.MAVLINK_MSG_ID_PARAM_REQUEST_READ:
            self.asked.append((now, message.param_id))
        elif message_id(frame) == dialect.MAVLINK_MSG_ID_PARAM_SET:
            self.own.append(message)
            if self.answers and message.param_id in self.parameters:
                assert math.isfinite(message.param_value)
                self.parameters[message.param_id] = message.param_value
        else:
            self.own.append(message)
            return
        if self.answers and message.param_id in self.parameters:
            value = self.parameters[message.param_id]
            companion.receive_line(parameter_value(message.param_id, value), now)
