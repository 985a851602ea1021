"""The running of a mission: navigation, conditions, actions, jumps."""

from enum import IntEnum

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.items import Item

_JUMPS = frozenset({dialect.MAV_CMD_DO_JUMP, dialect.MAV_CMD_DO_JUMP_TAG})


class RunState(IntEnum):
    """MISSION_STATE of MISSION_CURRENT, without "unknown" and "paused"."""

    NO_MISSION = 1
    NOT_STARTED = 2
    ACTIVE = 3
    COMPLETE = 5


class Mission:
    """The stored mission and where it stands. Item 0 is home; it is never flown.

    `jumps_made` holds what the next text tells: item, how often it was followed, how often it may.

    Invariant: `current` is 0 or the index of a stored item. Navigation items are flown one after
    the other; the actions that follow one run at once while it is flown, but wait for conditions
    among them; jumps are followed when the next navigation item is looked for.
    """

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.running = False
        self.complete = False
        self.nav: int | None = None
        self.action: int | None = None
        self.wanted: int = 0
        self._actions_from = 0
        self.jumps_made: list[tuple[int, int, int]] = []
        self._jumps: dict[int, int] = {}

    @property
    def present(self) -> bool:
        """Tell whether there is anything to fly."""
        return len(self.items) > 1

    @property
    def state(self) -> RunState:
        """Return the state MISSION_CURRENT reports."""
        if not self.present:
            return RunState.NO_MISSION
        if self.running:
            return RunState.ACTIVE
        return RunState.COMPLETE if self.complete else RunState.NOT_STARTED

    @property
    def current(self) -> int:
        """Return the sequence number MISSION_CURRENT reports."""
        return self.nav if self.nav is not None else self.wanted

    def starts_with_takeoff(self) -> bool:
        """Tell whether the first item flown is a take-off."""
        first = self._next_nav(max(self.wanted, 1), count=False)
        return first is not None and self.items[first].command == dialect.MAV_CMD_NAV_TAKEOFF

    def replace(self, items: list[Item]) -> None:
        """Store a new mission; it starts from the beginning."""
        self.items = items
        self.reset()

    def reset(self) -> None:
        """Go back to the start."""
        self.running = self.complete = False
        self.nav = self.action = None
        self.wanted = 0
        self._jumps.clear()

    def start_or_resume(self) -> int | None:
        """Run; return the navigation item to begin, None if there is none."""
        if not self.present:
            return None
        if self.complete:
            self.reset()
        self.running = True
        start = self.nav if self.nav is not None else max(self.wanted, 1)
        return self._begin(start)

    def stop(self) -> None:
        """Stop running, as on leaving AUTO; the place in the mission is kept."""
        self.running = False

    def set_current(self, index: int) -> int | None:
        """Make `index` current; return the navigation item to begin if the mission runs.

        Index 0 is home and means item 1, as in ArduPilot.
        """
        self.complete = False
        if not self.running:
            self.nav = self.action = None
            self.wanted = index
            return None
        return self._begin(max(index, 1))

    def advance(self) -> int | None:
        """Finish the current navigation item; return the next, None at the end."""
        assert self.nav is not None
        return self._begin(self.nav + 1)

    def next_action(self) -> int | None:
        """Return the next action or condition to run beside the navigation item, or None."""
        index = self._actions_from
        if self.action is not None or not self.running or index >= len(self.items):
            return None
        item = self.items[index]
        if item.is_nav or item.command in _JUMPS:
            return None
        self.action = index
        return index

    def finish_action(self) -> None:
        """Allow the next action to run."""
        if self.action is not None:
            self._actions_from = self.action + 1
            self.action = None

    def jumped(self, index: int) -> tuple[int, int]:
        """Return how often the jump at `index` was followed, and its limit (-1: for ever)."""
        return self._jumps.get(index, 0), int(self.items[index].param2)

    def _begin(self, start: int) -> int | None:
        nav = self._next_nav(start, count=True)
        self.action = None
        if nav is None:
            self.running, self.complete = False, True
            return None
        self.nav = nav
        self._actions_from = nav + 1
        return nav

    def _next_nav(self, start: int, *, count: bool) -> int | None:
        index = start
        for _ in range(4 * len(self.items) + 4):
            if index >= len(self.items):
                return None
            item = self.items[index]
            if item.command in _JUMPS:
                done, times = self.jumped(index)
                if times < 0 or done < times:
                    if count:
                        self._jumps[index] = done + 1
                        self.jumps_made.append((index, done + 1, times))
                    index = self._landing_of(item)
                    continue
            elif item.is_nav:
                return index
            index += 1
        return None  # nothing but jumps

    def _landing_of(self, jump: Item) -> int:
        """Return where a jump leads to; the end of the mission if its tag is nowhere."""
        if jump.command == dialect.MAV_CMD_DO_JUMP:
            return max(int(jump.param1), 1)
        tags = (
            i
            for i, item in enumerate(self.items)
            if item.command == dialect.MAV_CMD_JUMP_TAG and item.param1 == jump.param1
        )
        return next(tags, len(self.items))
