"""One drone's flight by its companion, as pages ask for it: brought, started, paused, ended.

Making a trajectory, and judging it, takes up to a second: somebody else does it meanwhile, in a
thread.
"""

from typing import Any, Final, NamedTuple, Protocol

import msgspec

from groundstation.orders import Craft
from groundstation.plan import deeds
from groundstation.plan.check import MAX_ABOVE_HOME
from groundstation.plan.model import Home, Plan, PlanError, Point
from groundstation.plan.route import MAX_CURVE, LeftOut, Made, Route, Shape, taken
from groundstation.screen.changes import page_ms
from groundstation.screen.modes import GUIDED
from groundstation.tasking import Task, TaskStatus, Upload
from wire.tasking import NO_TRAJECTORY, FlyVerb

Section = dict[str, Any]
MAX_HOME_MOVED: Final = 1.0  # m: home's height, which heights count from, since it was brought
_ACTIVE: Final = frozenset(("approaching", "running", "paused"))
_ON_ITS_WAY: Final = frozenset((Upload.SENDING, Upload.JUDGING))
_VERBS: Final[dict[type[deeds.Fly], FlyVerb]] = {
    deeds.Start: FlyVerb.START,
    deeds.Pause: FlyVerb.PAUSE,
    deeds.Resume: FlyVerb.RESUME,
    deeds.Abort: FlyVerb.ABORT,
    deeds.Forget: FlyVerb.CLEAR,
}


class Flyer(Protocol):
    """What flying by the companion needs of a drone at the console."""

    @property
    def home(self) -> Home | None:
        """Where the drone says that its home is."""

    @property
    def craft(self) -> Craft:
        """What an order depends on."""

    @property
    def task(self) -> Task:
        """The ground's part in flying a trajectory."""


class _Brought(NamedTuple):
    """A trajectory, of what, and of which revision of the draft."""

    route: Route
    made: Made
    left_out: tuple[LeftOut, ...]
    revision: int


class Flight:
    """The zero state has brought nothing.

    Invariant: what is started is what was brought last, and has been taken by the drone; heights
    count from where home was then and is still.
    """

    def __init__(self, vehicle: Flyer) -> None:
        self._vehicle = vehicle
        self._making: tuple[Route, tuple[LeftOut, ...], int] | None = None
        self._is_begun = False
        self._brought: _Brought | None = None
        self._failed = ""

    def bring(self, plan: Plan, do: deeds.Bring, revision: int, now_ns: int) -> None:
        """Begin to make a plan, whose home is the drone's, a trajectory; `made` brings it.

        It has to keep to the plan's fence and ceiling, all along.

        Raises:
            PlanError: It cannot be brought now, or not be flown.
        """
        why = self._why_not(deeds.Bring, self._told(now_ns))
        if why:
            raise PlanError(why)
        home = plan.home
        assert home is not None  # or it could not be brought
        found = taken(plan)
        if do.shape is Shape.CURVE and len(found.places) > MAX_CURVE:
            raise PlanError(f"{len(found.places)} places; a curve goes through up to {MAX_CURVE}")
        ceiling = min(MAX_ABOVE_HOME, plan.ceiling or MAX_ABOVE_HOME)
        limits = plan.hover_speed, do.acceleration
        route = Route(home, found.places, *limits, do.shape, plan.zones, ceiling)
        self._making, self._is_begun = (route, found.left_out, revision), False
        self._failed = ""

    def outgoing(self) -> Route | None:
        """Return the route to be made and judged, to be followed by `made` or `failed`."""
        if self._making is None or self._is_begun:
            return None
        self._is_begun = True
        return self._making[0]

    def made(self, made: Made, now_ns: int) -> None:
        """Bring what has been made, if it still may be."""
        assert self._making is not None
        route, left_out, revision = self._making
        self._making = None
        self._failed = self._why_not(deeds.Bring, self._told(now_ns))
        if not self._failed:
            self._brought = _Brought(route, made, left_out, revision)
            self._vehicle.task.offer(made.data, now_ns)

    def failed(self, why: str) -> None:
        """Note why the route cannot be flown."""
        self._making, self._failed = None, why

    def ask(self, do: deeds.Fly, now_ns: int) -> None:
        """Ask the companion.

        Raises:
            PlanError: It is not possible now; nothing has been asked.
        """
        why = self._why_not(type(do), self._told(now_ns))
        if why:
            raise PlanError(why)
        identity = NO_TRAJECTORY
        if isinstance(do, deeds.Start):
            assert self._brought is not None
            if do.identity != self._brought.made.identity:
                raise PlanError("Another trajectory has been brought meanwhile: look again")
            identity = bytes.fromhex(do.identity)
        self._vehicle.task.request(_VERBS[type(do)], identity, now_ns)

    def section(self, revision: int, now_ns: int) -> Section:
        """Return how it stands, for the pages."""
        told = self._told(now_ns)
        shown = msgspec.to_builtins(told)
        age_s = shown.pop("age_s")
        shown["heard_ms"] = None if age_s is None else page_ms(now_ns - round(age_s * 1e9))
        wanted, asked = (deeds.Bring, *_VERBS), self._vehicle.task.asked
        return {
            "making": self._making is not None,
            "failed": self._failed,
            "brought": self._shown_brought(revision),
            "asked": "" if asked is None else asked.name.lower(),
            "told": shown,
            "blocked": {_tag(deed): self._why_not(deed, told) for deed in wanted},
        }

    def ways(self, revision: int, now_ns: int) -> tuple[tuple[Point, ...], ...]:
        """Return the ways of what has been brought, for a map; empty if they mean nothing now.

        They do as long as it is on its way or aboard, of the draft as it is or being flown.
        """
        brought, told = self._brought, self._told(now_ns)
        if brought is None or told.upload_identity != brought.made.identity:
            return ()
        is_aboard = told.upload is Upload.LOADED and told.identity == brought.made.identity
        is_of_use = brought.revision == revision or told.state in _ACTIVE
        return brought.made.ways if is_of_use and (is_aboard or told.upload in _ON_ITS_WAY) else ()

    def _shown_brought(self, revision: int) -> Section | None:
        if self._brought is None:
            return None
        route, made, left_out, of = self._brought
        return {
            "identity": made.identity,
            "shape": route.shape.value,
            "places": len(route.places),
            "length": made.length,
            "duration_s": made.duration_s,
            "speed": made.speed,
            "heights": (made.lowest, made.highest),
            "left_out": left_out,
            "is_draft": of == revision,
        }

    def _told(self, now_ns: int) -> TaskStatus:
        return self._vehicle.task.describe(now_ns)

    def _why_not(self, deed: type[deeds.Flying], told: TaskStatus) -> str:
        craft = self._vehicle.craft
        if not craft.live:
            return "No link"
        if not craft.is_holder:
            return "Another station commands"
        is_active = told.state in _ACTIVE
        if deed is deeds.Bring:
            return self._why_not_bring(told, is_active=is_active)
        if deed is deeds.Start:
            return self._why_not_start(craft, told, is_active=is_active)
        if deed is deeds.Forget:
            is_aboard = told.identity is not None
            return "It is being flown" if is_active else "" if is_aboard else "Nothing is aboard"
        if deed is deeds.Pause and told.state == "approaching":
            return "It is not on its way yet"
        if deed is deeds.Resume:
            return "" if told.state == "paused" else "Nothing is paused"
        if deed is deeds.Pause and told.state == "paused":
            return "It is paused"
        return "" if is_active else "Nothing is being flown"

    def _why_not_bring(self, told: TaskStatus, *, is_active: bool) -> str:
        if self._making is not None:
            return "It is being made"
        if told.upload in _ON_ITS_WAY:
            return "One is on its way"
        if is_active:
            return "One is being flown: abort it first"
        return "" if self._vehicle.home is not None else "The drone has not said where its home is"

    def _why_not_start(self, craft: Craft, told: TaskStatus, *, is_active: bool) -> str:
        if is_active:
            return "It is being flown"
        if self._making is not None or told.upload in _ON_ITS_WAY:
            return "It is on its way"
        brought, home = self._brought, self._vehicle.home
        if brought is None or told.identity != brought.made.identity:
            return "Bring it first"
        if craft.armed is None:
            return "The autopilot is silent"
        if not craft.flying:
            return "Take off first"
        if craft.mode != GUIDED:
            return "Only in GUIDED"
        moved = None if home is None else abs(home.altitude - brought.route.home.altitude)
        if moved is None or moved > MAX_HOME_MOVED:
            return "Home, which heights count from, has moved: bring it again"
        return ""


def _tag(deed: type[deeds.Flying]) -> str:
    return str(deed.__struct_config__.tag)
