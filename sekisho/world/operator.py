"""An operator's ground program: a heartbeat every second, and a script of what to do.

A script is a generator. What it yields is a `Step`: something to send, again every second, until
something has happened. So a mission reads from top to bottom, though it is played on a virtual
clock and over a link that loses.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from wire.mavlink import dialect, frame_bytes_untrusted, message_id
from wire.packer import pack

Message: TypeAlias = dialect.MAVLink_message
SYSID: Final = 255
COMPID: Final = 190
AGAIN_NS: Final = 1_000_000_000
PATIENCE_NS: Final = 600_000_000_000
HEARTBEAT_NS: Final = 1_000_000_000
GUIDED, AUTO, RTL = 4, 3, 6


class OperatorError(Exception):
    """What a script waits for has not happened."""


def _nothing() -> Sequence[Message]:
    return ()


class Step(NamedTuple):
    """Send, and again every `again_ns`, until `done`; give up after `patience_ns`."""

    what: str
    done: Callable[[], bool]
    messages: Callable[[], Sequence[Message]] = _nothing
    again_ns: int = AGAIN_NS
    patience_ns: int = PATIENCE_NS


Script = Callable[["Operator"], Iterator[Step]]


class Operator:
    """One drone's operator. The zero state has heard nothing and says only that he is there.

    Attributes:
        now_ns: The time.
        is_done: Whether the script has come to its end.
        sysid: Of the vehicle.
        mode, armed: Of the vehicle, as it last said, None before.
        reached: The mission item that is flown to, as the vehicle last said.
        results: The last answer to each command.
        texts: What the vehicle and the companion have said.
        sent: Every frame, and when.
    """

    def __init__(self, sysid: int, script: Script, now_ns: int) -> None:
        self.now_ns = now_ns
        self.sysid = sysid
        self.is_done = False
        self.mode: int | None = None
        self.armed = False
        self.reached = 0
        self.results: dict[int, int] = {}
        self.texts: list[str] = []
        self.sent: list[tuple[int, bytes]] = []
        self._position = b""  # the last frame of it
        self._mission: Sequence[Message] = ()
        self._accepted: int | None = None
        self._mavlink = dialect.MAVLink(None)
        self._sequence = 0
        self._out: list[bytes] = []
        self._heartbeat_ns = now_ns
        self._steps = script(self)
        self._step: Step | None = None
        self._again_ns = self._give_up_ns = now_ns
        self._takers: dict[int, Callable[[Message], None]] = {
            dialect.MAVLINK_MSG_ID_HEARTBEAT: self._on_heartbeat,
            dialect.MAVLINK_MSG_ID_COMMAND_ACK: self._on_ack,
            dialect.MAVLINK_MSG_ID_MISSION_CURRENT: self._on_current,
            dialect.MAVLINK_MSG_ID_MISSION_REQUEST: self._on_request,
            dialect.MAVLINK_MSG_ID_MISSION_REQUEST_INT: self._on_request,
            dialect.MAVLINK_MSG_ID_MISSION_ACK: self._on_mission_ack,
            dialect.MAVLINK_MSG_ID_STATUSTEXT: self._on_text,
        }

    @property
    def height(self) -> float | None:
        """Return the height above home; None before the vehicle has told it [m]."""
        if not self._position:
            return None
        return float(self._mavlink.decode(bytearray(self._position)).relative_alt) * 1e-3

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take whole MAVLink frames that the gateway has opened."""
        self.now_ns = now_ns
        at = 0
        is_news = False
        while (size := frame_bytes_untrusted(data, at)) is not None:
            frame = data[at : at + size]
            at += size
            number = message_id(frame)
            if frame[5] != self.sysid:
                continue
            if number == dialect.MAVLINK_MSG_ID_GLOBAL_POSITION_INT:
                self._position = frame  # the most frequent, and seldom asked for
                is_news = True
            elif (taker := self._takers.get(number)) is not None:
                taker(self._mavlink.decode(bytearray(frame)))
                is_news = True
        if is_news:
            self._proceed()

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        self.now_ns = now_ns
        if now_ns >= self._heartbeat_ns:
            self._heartbeat_ns += HEARTBEAT_NS
            self.send(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3))
        self._proceed()

    def deadline_ns(self) -> int:
        """Return when `tick` has something to do."""
        return min(self._heartbeat_ns, self._again_ns)

    def outgoing(self) -> list[bytes]:
        """Return the frames for the gateway."""
        out, self._out = self._out, []
        return out

    def send(self, message: Message) -> None:
        """Send one message."""
        frame = pack(message, SYSID, COMPID, self._sequence)
        self._sequence = (self._sequence + 1) % 256
        self._out.append(frame)
        self.sent.append((self.now_ns, frame))

    def command(
        self, number: int, *params: float, done: Callable[[], bool] | None = None
    ) -> Iterator[Step]:
        """Give a command until it is accepted, and wait for what it is to bring about."""
        values = [*map(float, params), *(0.0,) * (7 - len(params))]
        message = dialect.MAVLink_command_long_message(self.sysid, 1, number, 0, *values)
        self.results.pop(number, None)
        name = dialect.enums["MAV_CMD"][number].name
        accepted = dialect.MAV_RESULT_ACCEPTED
        yield Step(
            f"accept {name}", lambda: self.results.get(number) == accepted, lambda: [message]
        )
        if done is not None:
            yield Step(f"do {name}", done)

    def set_mode(self, mode: int) -> Iterator[Step]:
        """Change the flight mode."""
        yield from self.command(
            dialect.MAV_CMD_DO_SET_MODE, 1, mode, done=lambda: self.mode == mode
        )

    def upload(self, items: Sequence[Message]) -> Iterator[Step]:
        """Give the vehicle a mission; it asks for the items itself."""
        self._mission, self._accepted = items, None
        count = dialect.MAVLink_mission_count_message(self.sysid, 1, len(items))
        yield Step(
            "take the mission",
            lambda: self._accepted == dialect.MAV_MISSION_ACCEPTED,
            lambda: [count],
            again_ns=10 * AGAIN_NS,
        )

    def stream(self, rate: int, groups: Sequence[int], done: Callable[[], bool]) -> Iterator[Step]:
        """Ask for groups of telemetry at a rate [Hz]."""
        yield Step(
            "send telemetry",
            done,
            lambda: [
                dialect.MAVLink_request_data_stream_message(self.sysid, 1, group, rate, 1)
                for group in groups
            ],
        )

    def _proceed(self) -> None:
        """Go on with the script as far as it goes; send what it asks for."""
        while self._step is None or self._step.done():
            self._step = next(self._steps, None)
            if self._step is None:
                self.is_done = True
                self._again_ns = self._heartbeat_ns
                return
            self._again_ns = self.now_ns
            self._give_up_ns = self.now_ns + self._step.patience_ns
        if self.now_ns >= self._give_up_ns:
            raise OperatorError(
                f"vehicle {self.sysid} did not {self._step.what}: {self.texts[-5:]}"
            )
        if self.now_ns >= self._again_ns:
            self._again_ns = self.now_ns + self._step.again_ns
            for message in self._step.messages():
                self.send(message)

    def _on_heartbeat(self, message: Message) -> None:
        if message.get_srcComponent() == dialect.MAV_COMP_ID_AUTOPILOT1:
            self.mode = message.custom_mode
            self.armed = bool(message.base_mode & dialect.MAV_MODE_FLAG_SAFETY_ARMED)

    def _on_ack(self, message: Message) -> None:
        self.results[message.command] = message.result

    def _on_current(self, message: Message) -> None:
        self.reached = message.seq

    def _on_request(self, message: Message) -> None:
        if message.seq < len(self._mission):
            self.send(self._mission[message.seq])

    def _on_mission_ack(self, message: Message) -> None:
        self._accepted = message.type

    def _on_text(self, message: Message) -> None:
        self.texts.append(message.text)
