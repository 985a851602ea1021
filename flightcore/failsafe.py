"""The failsafe ladder: what the companion does when the operator's link is lost, in one place.

T0 is the last authenticated, fresh frame of the station in command. T1 is the silence after which
the link counts as lost, and the greatest age of what counts as presence (`Freshness.PRESENCE`), so
after T1 of silence nothing passes as presence that does not also end the silence.

1. T1: those who watch are told. ArduPilot has heard presence no later than T0, so its own failsafe
   acts by T0 + FS_GCS_TIMEOUT.
2. T1 + FS_GCS_TIMEOUT + 2 s: if the vehicle flies on in a mode that does not end the flight, the
   companion commands one: RTL, or LAND if GNSS is suspected or RTL is not followed.

Apart from that, under suspicion a return that nobody asked for over the link becomes LAND: it flies
by GNSS, and a lost link or a fence may have been made to start it.

It sleeps until a holder has been heard, acts once per loss, and stands back once the vehicle has
been in a mode that ends the flight, or on the ground: whoever changes the mode after that is a
pilot. No mode is ever restored.
"""

import struct
from collections.abc import Callable, Sequence
from enum import IntEnum, StrEnum
from typing import Final

from flightcore.autopilot import AUTOPILOT_COMPID, COMPANION_COMPID, Autopilot
from flightcore.parameters import Parameters
from flightcore.policy import COMMAND_MESSAGES
from flightcore.voice import Voice
from wire.mavlink import HEADER_BYTES, dialect, message_id

BACKUP_NS: Final = 2_000_000_000  # after the autopilot's own failsafe should have acted
TRY_EVERY_NS: Final = 1_000_000_000
TRIES: Final = 5  # of each mode in one loss
ASKED_NS: Final = 5_000_000_000  # from an operator's command to the mode that it is for
DEFAULT_TIMEOUT_S: Final = 5.0  # FS_GCS_TIMEOUT while it has not been read: ArduPilot's default
_TIMEOUT_S: Final = (2.0, 120.0)  # what ArduPilot's documentation allows

RETURNS: Final = frozenset((6, 21, 27))  # RTL, SMART_RTL, AUTO_RTL: to a place, by GNSS
LAND: Final = 9
ENDS: Final = RETURNS | {LAND}


class Phase(StrEnum):
    """Where on the ladder the companion is."""

    ASLEEP = "never_up"
    UP = "ok"
    LOST = "lost"
    ACTING = "acting"
    SETTLED = "settled"


class Cause(StrEnum):
    """What moves it."""

    HEARD = "a fresh frame of the holder"
    SILENT = "T1 without one"
    ENDING = "in a mode that ends the flight, or on the ground"
    OVERDUE = "flies on FS_GCS_TIMEOUT + 2 s later"
    SPENT = "followed no command"


TRANSITIONS: Final = {
    (Phase.ASLEEP, Cause.HEARD): Phase.UP,
    (Phase.UP, Cause.SILENT): Phase.LOST,
    (Phase.LOST, Cause.ENDING): Phase.SETTLED,
    (Phase.LOST, Cause.OVERDUE): Phase.ACTING,
    (Phase.ACTING, Cause.ENDING): Phase.SETTLED,
    (Phase.ACTING, Cause.SPENT): Phase.SETTLED,
    (Phase.LOST, Cause.HEARD): Phase.UP,
    (Phase.ACTING, Cause.HEARD): Phase.UP,
    (Phase.SETTLED, Cause.HEARD): Phase.UP,
}


class Action(IntEnum):
    """What the companion commands, by ArduCopter's number; of two called for, the greater."""

    RTL = 6
    LAND = 9


class _Orders:
    """One mode commanded once a second, `TRIES` times at most."""

    def __init__(self, action: Action) -> None:
        self.action = action
        self.restart()

    def restart(self) -> None:
        """Be ready for another occasion."""
        self.tries = self.due_ns = 0
        self.is_over = False  # followed, or given up

    def is_spent(self, now_ns: int) -> bool:
        """Tell whether every try has had its second."""
        return self.tries == TRIES and now_ns >= self.due_ns


class Failsafe:
    """A part of `Watch`. The zero state has heard no holder and does nothing.

    `is_suspect` tells whether GNSS is suspected of leading the vehicle astray.

    Invariant: in one loss each action is commanded at most `TRIES` times, none before a holder was
    heard, and RTL never under suspicion.
    """

    watched = frozenset((dialect.MAVLINK_MSG_ID_HEARTBEAT, dialect.MAVLINK_MSG_ID_COMMAND_ACK))

    def __init__(
        self,
        autopilot: Autopilot,
        parameters: Parameters,
        voice: Voice,
        is_suspect: Callable[[], bool],
    ) -> None:
        self._autopilot = autopilot
        self._parameters = parameters
        self._voice = voice
        self._is_suspect = is_suspect
        self.phase = Phase.ASLEEP
        self._since_ns: int | None = None
        self._heard_ns = self._silence_ns = self._overdue_ns = 0
        self._alarm_ns: int | None = None
        self._orders = {action: _Orders(action) for action in Action}
        self._mode: int | None = None
        self._asked_ns: int | None = None  # when a return was commanded over the link
        self._is_asked_for = False  # the present mode
        self._is_warned = False
        self._last_action: str | None = None
        self._last_result: str | None = None

    def forget(self) -> None:
        """Keep everything: a line that comes back in flight changes neither loss nor flight."""

    def heard(self, silence_ns: int, now_ns: int) -> None:
        """Note a fresh frame of the holder, over a path whose T1 is `silence_ns`."""
        lost_ns = now_ns - self._heard_ns
        self._heard_ns, self._silence_ns = now_ns, silence_ns
        self._wake(now_ns + silence_ns)
        if self.phase not in (Phase.ASLEEP, Phase.UP):
            self._voice.tell(
                dialect.MAV_SEVERITY_NOTICE, f"Link back after {lost_ns / 1e9:.0f} s, mode is left"
            )
        if self.phase is not Phase.UP:
            self._go(Cause.HEARD, now_ns)

    def passed(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Note what an operator has been let say to the autopilot."""
        if any(_asks_return(frame) for frame in frames):
            self._asked_ns = now_ns

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take a heartbeat, or the answer to a command."""
        if message_id(frame) == dialect.MAVLINK_MSG_ID_COMMAND_ACK:
            self._receive_answer(frame)
            return
        mode = self._autopilot.custom_mode
        if mode != self._mode:
            self._mode = mode
            asked_ns = self._asked_ns
            self._is_asked_for = asked_ns is not None and now_ns - asked_ns <= ASKED_NS
            self._is_warned = False
        # Not by the clock alone: what it said before the loss may be from before a last command.
        if self.phase in (Phase.LOST, Phase.ACTING) and self._is_ending():
            self._go(Cause.ENDING, now_ns)
        self.tick(now_ns)

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do; what waits for the autopilot has no deadline."""
        return self._alarm_ns

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        if self._alarm_ns is not None and now_ns >= self._alarm_ns:
            self._alarm_ns = None
        self._settle(now_ns)
        if not self._autopilot.is_heard(now_ns):
            return
        if self.phase is Phase.ACTING:
            self._act(now_ns)
        self._mind_returns(now_ns)

    def describe(self, now_ns: int) -> dict[str, str | float | bool | None]:
        """Return the ladder for `sekisho status`."""
        is_up = self.phase in (Phase.ASLEEP, Phase.UP)
        never = self.phase is Phase.ASLEEP
        next_step, next_ns = self._next_step()
        return {
            "link": self.phase.value if is_up else Phase.LOST.value,
            "heard_s": None if never else (now_ns - self._heard_ns) / 1e9,
            "state": self.phase.value,
            "since_s": None if self._since_ns is None else (now_ns - self._since_ns) / 1e9,
            "next": next_step,
            "next_in_s": None if next_ns is None else max(0.0, (next_ns - now_ns) / 1e9),
            "last_action": self._last_action,
            "last_result": self._last_result,
            "gcs_timeout_s": self._timeout_s(),
            "gnss_suspect": self._is_suspect(),
        }

    def _settle(self, now_ns: int) -> None:
        """Take the steps that time brings."""
        if self.phase is Phase.UP:
            silent_ns = self._heard_ns + self._silence_ns
            if now_ns < silent_ns:
                self._wake(silent_ns)
                return
            # Counted from when it is noticed: a companion that was stopped first looks.
            self._overdue_ns = now_ns + int(self._timeout_s() * 1e9) + BACKUP_NS
            self._wake(self._overdue_ns)
            for orders in self._orders.values():
                orders.restart()
            self._voice.tell(dialect.MAV_SEVERITY_WARNING, "Link to the station in command is lost")
            self._go(Cause.SILENT, now_ns)
        is_overdue = self.phase is Phase.LOST and now_ns >= self._overdue_ns
        if is_overdue and self._autopilot.is_heard(now_ns):
            self._go(Cause.OVERDUE if self._is_flying() else Cause.ENDING, now_ns)

    def _act(self, now_ns: int) -> None:
        called_for = {Action.RTL}
        if self._is_suspect() or self._orders[Action.RTL].is_spent(now_ns):
            called_for.add(Action.LAND)  # which needs no position
        orders = self._orders[max(called_for)]
        if orders.is_spent(now_ns):
            self._voice.tell(dialect.MAV_SEVERITY_CRITICAL, "Failsafe by companion: not followed")
            self._go(Cause.SPENT, now_ns)
        else:
            self._command(orders, "Failsafe by companion", now_ns)

    def _mind_returns(self, now_ns: int) -> None:
        """Under suspicion turn a return into a landing, unless an operator wants it and is there.

        A pilot who returns again after that has the last word.
        """
        landing = self._orders[Action.LAND]
        is_up = self.phase is Phase.UP
        if not self._is_suspect() or not self._is_flying():
            if is_up:
                landing.restart()
            return
        if self.phase in (Phase.ASLEEP, Phase.ACTING):
            return
        if self._mode not in RETURNS:
            landing.is_over = landing.is_over or landing.tries > 0
        elif is_up and self._is_asked_for:
            if not self._is_warned:
                self._is_warned = True
                text = "GNSS suspect: RTL follows it, LAND does not"
                self._voice.tell(dialect.MAV_SEVERITY_WARNING, text)
        elif not landing.is_over:
            if landing.is_spent(now_ns):
                landing.is_over = True
            else:
                self._command(landing, "GNSS suspect, return unasked", now_ns)

    def _command(self, orders: _Orders, why: str, now_ns: int) -> None:
        if now_ns >= orders.due_ns:
            assert orders.tries < TRIES
            orders.tries += 1
            orders.due_ns = now_ns + TRY_EVERY_NS
            self._voice.command(
                dialect.MAVLink_command_long_message(
                    self._autopilot.sysid,
                    AUTOPILOT_COMPID,
                    dialect.MAV_CMD_DO_SET_MODE,
                    orders.tries - 1,
                    dialect.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED,
                    orders.action,
                    *(0.0,) * 5,
                )
            )
            text = f"{why}: {orders.action.name} {orders.tries}/{TRIES}"
            self._voice.tell(dialect.MAV_SEVERITY_CRITICAL, text)
            self._last_action, self._last_result = text, "no answer yet"
        self._wake(orders.due_ns)

    def _receive_answer(self, frame: bytes) -> None:
        payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_ACK.size, b"\0")
        command, result, _, _, _, compid = _ACK.unpack_from(payload)
        if command == dialect.MAV_CMD_DO_SET_MODE and compid == COMPANION_COMPID:
            known = dialect.enums["MAV_RESULT"].get(result)
            self._last_result = str(result) if known is None else known.name.lower()
            self._voice.note(f"failsafe: the autopilot answers {self._last_result}")

    def _go(self, cause: Cause, now_ns: int) -> None:
        before, self.phase = self.phase, TRANSITIONS[self.phase, cause]
        self._since_ns = now_ns
        if cause is Cause.ENDING:
            for orders in self._orders.values():
                orders.is_over = orders.is_over or orders.tries > 0
        self._voice.note(f"failsafe: {before} -> {self.phase}: {cause}, mode {self._mode}")

    def _wake(self, at_ns: int) -> None:
        self._alarm_ns = at_ns if self._alarm_ns is None else min(self._alarm_ns, at_ns)

    def _is_flying(self) -> bool:
        return self._autopilot.is_flying

    def _is_ending(self) -> bool:
        """Tell whether the mode ends the flight; while acting under suspicion only LAND does."""
        if self.phase is Phase.ACTING and not self._is_flying():
            return True
        is_wary = self.phase is Phase.ACTING and self._is_suspect()
        return self._mode in ({LAND} if is_wary else ENDS)

    def _timeout_s(self) -> float:
        read = self._parameters.last("FS_GCS_TIMEOUT")
        least, most = _TIMEOUT_S
        return min(max(DEFAULT_TIMEOUT_S if read is None else read, least), most)

    def _next_step(self) -> tuple[str, int | None]:
        match self.phase:
            case Phase.ASLEEP:
                return "waits for a station in command", None
            case Phase.UP:
                return "the link counts as lost", self._heard_ns + self._silence_ns
            case Phase.LOST:
                return "the companion commands RTL or LAND", self._overdue_ns
            case Phase.ACTING:
                return "it is commanded again", self._alarm_ns
            case Phase.SETTLED:
                return "none in this loss", None


_ACK: Final = struct.Struct("<HBBiBB")
_COMMAND: Final = struct.Struct("<7fH")
_SET_MODE: Final = struct.Struct("<I")
_RETURN_COMMANDS: Final = frozenset(
    (
        dialect.MAV_CMD_NAV_RETURN_TO_LAUNCH,
        dialect.MAV_CMD_DO_LAND_START,
        dialect.MAV_CMD_DO_RETURN_PATH_START,
    )
)


def _asks_return(frame: bytes) -> bool:
    """Tell whether a valid frame asks the autopilot to return."""
    number = message_id(frame)
    payload = frame[HEADER_BYTES : HEADER_BYTES + frame[1]].ljust(_COMMAND.size, b"\0")
    if number == dialect.MAVLINK_MSG_ID_SET_MODE:
        return _SET_MODE.unpack_from(payload)[0] in RETURNS
    if number not in COMMAND_MESSAGES:
        return False
    values = _COMMAND.unpack_from(payload)
    is_mode = values[7] == dialect.MAV_CMD_DO_SET_MODE and values[1] in RETURNS
    return is_mode or values[7] in _RETURN_COMMANDS
