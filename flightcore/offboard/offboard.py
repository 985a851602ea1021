"""Who flies: the companion by a loaded trajectory, or the operator, who may take over at any time.

Setpoints go out only while a trajectory is being flown, in GUIDED, with the link up, the navigation
believed, the autopilot's telemetry fresh and the control loop punctual. When one of these ends, the
companion says one last word, a brake, and steers no more; where the operator has spoken (another
mode, a setpoint or a command of his own) it says nothing at all. After a lost link it is silent
too, so that the autopilot's own failsafe finds nobody to argue with. Nothing is taken up again by
itself.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

from flightcore.autopilot import Autopilot
from flightcore.flown import Flown, first_jump
from flightcore.offboard.aboard import PARAMETERS, Aboard, craft_of, take
from flightcore.offboard.description import Description
from flightcore.offboard.frames import offset
from flightcore.offboard.hand_over import takes_over
from flightcore.offboard.pilot import Form, Orders, Step
from flightcore.offboard.schedule import standing
from flightcore.offboard.setpoints import Brake, Setpoint, Vec, encode, is_sound
from flightcore.offboard.sight import Sight
from flightcore.offboard.worth import Ability
from flightcore.parameters import Parameters
from flightcore.trajectory.sampled import Trajectory
from flightcore.voice import Voice
from wire.mavlink import dialect, message_id
from wire.tasking import NO_TRAJECTORY, FlyReason, FlyState
from wire.trajectory import Document

TICK_NS: Final = 50_000_000
LOOP_SILENT_NS: Final = 200_000_000  # after which the loop counts as dead
FARTHEST: Final = 300.0  # to the first point [m]
ARRIVED: Final = (0.5, 0.3)  # at the first point: [m], [m/s]
SETTLED_NS: Final = 1_000_000_000
STRAYED: Final = 5.0  # from the trajectory, where the companion controls the position [m]
SLOWEST: Final = 1.0  # on the way there, before it is given up [m/s]
LONG_HELD_S: Final = 1.0  # an attitude, should this computer die
SAYS: Final = 3  # how often what is said once is said, lest it be lost

_ACTIVE: Final = frozenset((FlyState.APPROACHING, FlyState.RUNNING, FlyState.PAUSED))


class Offboard:
    """A part of `Watch`. The zero state has no trajectory and says nothing.

    Invariant: a setpoint goes out only in GUIDED and in an active state, but for the last brake and
    the last place, which are said at most `SAYS` times and only in GUIDED.
    """

    watched = Sight.watched

    def __init__(
        self,
        autopilot: Autopilot,
        parameters: Parameters,
        voice: Voice,
        hindrance: Callable[[], FlyReason],
        ability: Ability,
        form: Form = Form.ATTITUDE,
    ) -> None:
        """Make it.

        Args:
            autopilot: Whose mode and silence count.
            parameters: As read.
            voice: To speak with.
            hindrance: What forbids flying now: a lost link, an alarm; `NONE` while all is well.
            ability: Limits of what is accepted.
            form: What setpoints say.
        """
        self._autopilot = autopilot
        self._parameters = parameters
        self._voice = voice
        self._hindrance = hindrance
        self._ability = ability
        self._form = form
        self.sight = Sight(autopilot, voice)
        self.orders = Orders()
        self.flight: Aboard | None = None
        self.lateness_us: int | None = None
        self._state = FlyState.EMPTY
        self._reason = FlyReason.NONE
        self._text = ""
        self._error: float | None = None
        self._stepped_ns = 0  # when the loop spoke last
        self._has_loop = False
        self._tick_ns = 0
        self._due_ns = 0  # of the approach
        self._settled_ns: int | None = None
        self._last_words: list[Setpoint] = []

    @property
    def is_active(self) -> bool:
        """Tell whether the companion steers."""
        return self._state in _ACTIVE

    @property
    def identity(self) -> bytes:
        """Which trajectory is aboard; zeros without one."""
        return NO_TRAJECTORY if self.flight is None else self.flight.identity

    def prepare(self) -> None:
        """Ask for what must be known to take a trajectory aboard: one may be on its way."""
        self.sight.locate()
        self._parameters.want(PARAMETERS)

    def load(self, document: Document, now_ns: int) -> str:
        """Take a document aboard; return why not."""
        flown = Flown(document)
        jump = first_jump(flown)
        if jump is not None:
            what = ("place", "velocity", "acceleration")[jump.order]
            return f"its {what} jumps by {jump.size:.2g} at {jump.at_s:.1f} s"
        self.prepare()
        if self._form is Form.ATTITUDE and self._parameters.last("GUID_OPTIONS") is None:
            return "the autopilot has not said what thrust means to it (GUID_OPTIONS)"
        if self.sight.origin is None:
            return "the autopilot has not said where its frame lies (GPS_GLOBAL_ORIGIN)"
        shift_n = offset(document.reference, self.sight.origin)
        return self.load_trajectory(flown, shift_n, document.identity, now_ns)

    def load_trajectory(
        self, trajectory: Trajectory, shift_n: Vec, identity: bytes, now_ns: int
    ) -> str:
        """Take a trajectory aboard whose zero lies at `shift_n` [m]; return why not."""
        if self.is_active:
            return "another trajectory is being flown"
        craft = craft_of(self._parameters)
        taken = take(trajectory, shift_n, identity, self._ability, self._form, craft)
        if isinstance(taken, str):
            return taken
        if self.sight.is_fresh(now_ns) and self.sight.distance(taken.first) > FARTHEST:
            away = self.sight.distance(taken.first)
            return f"it begins {away:.0f} m from here; allowed: {FARTHEST:.0f} m"
        self.clear()
        self.flight, self._state = taken, FlyState.LOADED
        self.sight.is_watching = True
        self.sight.ask_motion()
        self._voice.note(f"offboard: {identity.hex()} loaded, {taken.duration_s:.1f} s")
        held_s = self._parameters.last("GUID_TIMEOUT")
        if self._form is Form.ATTITUDE and held_s is not None and held_s > LONG_HELD_S:
            text = f"GUID_TIMEOUT is {held_s:g} s; {LONG_HELD_S:g} is advised"
            self._voice.tell(dialect.MAV_SEVERITY_NOTICE, text)
        return ""

    def start(self, identity: bytes, now_ns: int) -> str:
        """Begin to fly what is loaded; return why not."""
        refusal = self._refusal(identity, now_ns)
        if refusal:
            return refusal
        assert self.flight is not None
        self.orders = Orders(standing(0.0), is_flying=False)
        self._go(FlyState.APPROACHING, now_ns)
        away = self.sight.distance(self.flight.first)
        self._due_ns = now_ns + int((20.0 + away / SLOWEST) * 1e9)
        self._settled_ns = None
        return ""

    def pause(self, now_ns: int) -> str:
        """Stand still on the way, as soon as the pace allows; return why not."""
        if self._state is not FlyState.RUNNING:
            return f"nothing is being flown: {self._state.name.lower()}"
        self._change_pace(0.0, now_ns)
        self._go(FlyState.PAUSED, now_ns)
        return ""

    def resume(self, now_ns: int) -> str:
        """Fly on; return why not."""
        if self._state is not FlyState.PAUSED:
            return f"nothing is paused: {self._state.name.lower()}"
        self._change_pace(1.0, now_ns)
        self._go(FlyState.RUNNING, now_ns)
        return ""

    def abort(self, reason: FlyReason, now_ns: int, text: str = "") -> str:
        """Brake and steer no more; return why not."""
        if not self.is_active:
            return f"nothing is being flown: {self._state.name.lower()}"
        self._hand_back(reason, text or reason.name.lower(), now_ns, is_braking=True)
        return ""

    def clear(self) -> str:
        """Forget the trajectory; return why not."""
        if self.is_active:
            return "it is being flown"
        self.flight, self.sight.is_watching = None, False
        self._state, self._reason, self._text = FlyState.EMPTY, FlyReason.NONE, ""
        self._has_loop, self.orders = False, Orders()
        self._error = self.lateness_us = None
        return ""

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take a frame of the autopilot."""
        self.sight.receive(frame, now_ns)
        if message_id(frame) == dialect.MAVLINK_MSG_ID_HEARTBEAT:
            self._watch_mode(now_ns)

    def passed(self, frames: Sequence[bytes], now_ns: int) -> None:
        """Yield at once if an operator has been let say something that moves the vehicle."""
        if self.is_active and any(map(takes_over, frames)):
            self._hand_back(FlyReason.OPERATOR, "the operator took over", now_ns, is_braking=False)
        if self._last_words and any(map(takes_over, frames)):
            self._last_words.clear()

    def loop_ready(self, now_ns: int) -> None:
        """Note that a control loop runs for what is loaded."""
        self._has_loop = True
        self._stepped_ns = now_ns

    def loop_ended(self, why: str, now_ns: int) -> None:
        """Note that the control loop is gone."""
        self._has_loop = False
        if self.is_active:
            self._hand_back(FlyReason.LOOP, f"control loop: {why}", now_ns, is_braking=True)

    def receive_step(self, step: Step, now_ns: int) -> None:
        """Take what the control loop says; pass it on if it is its turn."""
        self._stepped_ns = now_ns
        if self._state not in (FlyState.RUNNING, FlyState.PAUSED):
            return
        self._error = step.error
        setpoint = step.setpoint
        if setpoint is None:
            return  # telemetry is stale: `tick` says so
        if step.error > STRAYED and self._form is not Form.POSITION:
            text = f"it does not follow: {step.error:.1f} m off"
            self._hand_back(FlyReason.AUTOPILOT, text, now_ns, is_braking=True)
            return
        if not is_sound(setpoint):
            self._hand_back(FlyReason.LOOP, "control loop: unsound", now_ns, is_braking=True)
            return
        self._say(setpoint)

    def deadline_ns(self) -> int | None:
        """Return when `tick` has something to do."""
        return self._tick_ns + TICK_NS if self.is_active or self._last_words else None

    def tick(self, now_ns: int) -> None:
        """Go on, or give up."""
        if not (self.is_active or self._last_words) or now_ns < self._tick_ns + TICK_NS:
            return
        self._tick_ns = now_ns
        if self._last_words:
            if self.sight.is_guided():
                self._say(self._last_words.pop())
            else:
                self._last_words.clear()
        if not self.is_active:
            return
        ending = self._ending(now_ns)
        if ending is not None:
            self._hand_back(*ending, now_ns, is_braking=True)
        elif self._state is FlyState.APPROACHING:
            self._approach(now_ns)
        elif self._state is FlyState.RUNNING:
            self._follow(now_ns)

    def _ending(self, now_ns: int) -> tuple[FlyReason, str] | None:
        """Return why the companion may steer no more."""
        hindrance = self._hindrance()
        if hindrance is not FlyReason.NONE:
            return hindrance, hindrance.name.lower().replace("_", " ")
        if not self._autopilot.is_heard(now_ns) or not self.sight.is_fresh(now_ns):
            return FlyReason.AUTOPILOT, "its telemetry stopped"
        if not self._is_as_loaded():
            return FlyReason.OPERATOR, "GUID_OPTIONS has changed"
        if now_ns - self._stepped_ns > LOOP_SILENT_NS:
            return FlyReason.LOOP, "control loop: silent"
        return None

    def forget(self) -> None:
        """The line is gone: what comes back is flown by whoever commands it."""
        if self.is_active:
            self._state, self._reason = FlyState.HANDED_BACK, FlyReason.AUTOPILOT
            self._text = "the autopilot's line is gone"
        self._last_words.clear()
        self.sight.forget()

    def describe(self, now_ns: int) -> Description:
        """Say how things stand."""
        duration_s = 0.0 if self.flight is None else self.flight.duration_s
        elapsed_s = self.orders.schedule.at(now_ns * 1e-9).time if duration_s else 0.0
        return Description(
            self._state,
            self._reason,
            self.identity,
            min(max(elapsed_s, 0.0), duration_s),
            duration_s,
            self._error if self.is_active else None,
            self.lateness_us,
            self._text,
        )

    def _refusal(self, identity: bytes, now_ns: int) -> str:
        """Return why nothing can be flown now."""
        if self.flight is None:
            return "no trajectory is aboard"
        hindrance = self._hindrance()
        checks = (
            (self.is_active, "it is being flown"),
            (identity != self.identity, f"aboard is {self.identity.hex()}"),
            (not self._autopilot.is_heard(now_ns), "the autopilot is silent"),
            (not self._autopilot.is_flying, "the vehicle is not in the air"),
            (not self.sight.is_guided(), "the vehicle is not in GUIDED"),
            (hindrance is not FlyReason.NONE, hindrance.name.lower().replace("_", " ")),
            (not self.sight.is_fresh(now_ns), "its position and attitude do not come often enough"),
            (not self._has_loop, "the control loop is not running"),
            (not self._is_as_loaded(), "GUID_OPTIONS has changed: bring it again"),
            (
                self.sight.is_fresh(now_ns) and self.sight.distance(self.flight.first) > FARTHEST,
                f"it begins more than {FARTHEST:.0f} m from here",
            ),
        )
        return next((text for is_so, text in checks if is_so), "")

    def _is_as_loaded(self) -> bool:
        """Tell whether thrust still means what the loop takes it for."""
        assert self.flight is not None
        return craft_of(self._parameters).gives_thrust == self.flight.craft.gives_thrust

    def _approach(self, now_ns: int) -> None:
        """Fly to where the trajectory begins, and begin it once there."""
        assert self.flight is not None
        assert self.sight.motion is not None
        self._say(self.flight.first)
        speed = math.hypot(*self.sight.motion.velocity_n)
        self._error = self.sight.distance(self.flight.first)
        if self._error > ARRIVED[0] or speed > ARRIVED[1]:
            self._settled_ns = None
        elif self._settled_ns is None:
            self._settled_ns = now_ns
        elif now_ns - self._settled_ns >= SETTLED_NS:
            self.orders = Orders(self.flight.begin(now_ns * 1e-9), is_flying=True)
            self._go(FlyState.RUNNING, now_ns)
            return
        if now_ns > self._due_ns:
            text = "it did not get to where the trajectory begins"
            self._hand_back(FlyReason.AUTOPILOT, text, now_ns, is_braking=True)

    def _follow(self, now_ns: int) -> None:
        """Go on to the end, and hold there: a place, which the autopilot keeps without us."""
        assert self.flight is not None
        flight, schedule, now_s = self.flight, self.orders.schedule, now_ns * 1e-9
        if not flight.is_over(schedule, now_s):
            ending = flight.ending(schedule, now_s, TICK_NS * 1e-9)
            if ending is not schedule:
                self.orders = self.orders._replace(schedule=ending)
            return
        self._last_words = [flight.last] * SAYS
        self._say(self._last_words.pop())
        self.orders = Orders(standing(flight.duration_s), is_flying=False)
        self._go(FlyState.FINISHED, now_ns)

    def _change_pace(self, to_rate: float, now_ns: int) -> None:
        assert self.flight is not None
        schedule = self.flight.change(self.orders.schedule, to_rate, now_ns * 1e-9)
        self.orders = self.orders._replace(schedule=schedule)

    def _watch_mode(self, now_ns: int) -> None:
        if not self.is_active:
            return
        if not self.sight.is_guided():
            text = f"the vehicle is in mode {self._autopilot.custom_mode}"
            self._hand_back(FlyReason.OPERATOR, text, now_ns, is_braking=False)
        elif not self._autopilot.is_flying:
            text = "the vehicle has landed or disarmed"
            self._hand_back(FlyReason.AUTOPILOT, text, now_ns, is_braking=False)

    def _hand_back(self, reason: FlyReason, text: str, now_ns: int, *, is_braking: bool) -> None:
        self._reason, self._text = reason, text
        self._last_words.clear()
        self.orders = self.orders._replace(is_flying=False)
        self._go(FlyState.HANDED_BACK, now_ns)
        self._voice.tell(dialect.MAV_SEVERITY_WARNING, f"Trajectory: {text}")
        if is_braking and self.sight.is_guided():
            self._last_words = [Brake()] * SAYS
            self._say(self._last_words.pop())

    def _go(self, state: FlyState, now_ns: int) -> None:
        before, self._state = self._state, state
        self._tick_ns = now_ns
        if state in _ACTIVE:
            self._reason, self._text = FlyReason.NONE, ""
        why = f": {self._text}" if self._text else ""
        self._voice.note(f"offboard: {before.name.lower()} -> {state.name.lower()}{why}")

    def _say(self, setpoint: Setpoint) -> None:
        assert self._autopilot.sysid is not None
        self._voice.command(encode(setpoint, self._autopilot.sysid))
