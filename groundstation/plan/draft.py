"""The draft of one drone: edits, undo and redo, and the form in which it is kept on disk.

Elements are named by ids that are never used again, so that what one page says of an element is
never done to another that has taken its place in the meantime.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from groundstation.plan.model import (
    ABSOLUTE,
    JUMP,
    MAX_ITEMS,
    RELATIVE,
    TERRAIN,
    Circle,
    Element,
    Entry,
    Foreign,
    Kept,
    Plan,
    PlanError,
    Polygon,
    Rally,
    Simple,
    Survey,
    flown,
)
from groundstation.plan.qgc import CAMERA_CALC, POINTS, SHOTS, TRANSECTS
from groundstation.plan.survey import laid_out

MAX_STEPS: Final = 200
MAX_BYTES: Final = 1_000_000
_VERSION: Final = 1
_QGC_MODES: Final = {RELATIVE: 1, ABSOLUTE: 2, TERRAIN: 4}
# What a survey of a file may have that laying it out again here would lose.
_NOT_LAID_OUT: Final = (
    "flyAlternateTransects",
    "HoverAndCapture",
    "Refly90Degrees",
    "FollowTerrain",
)

E = TypeVar("E", bound=Element)


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    plan: Plan
    next_id: int


class Draft:
    """One drone's draft. The zero state is an empty plan with nothing to undo.

    Invariant: an edit that raises changes nothing; `undo` after an edit brings back the plan before
    it, `redo` after an undo the plan after it; ids of elements differ.
    """

    def __init__(self) -> None:
        self.plan = Plan()
        self.revision = 0
        self._next_id = 1
        self._before: deque[Plan] = deque(maxlen=MAX_STEPS)
        self._after: list[Plan] = []

    @property
    def can_undo(self) -> bool:
        """Tell whether there is an edit to undo."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Tell whether there is an undone edit."""
        return bool(self._after)

    def undo(self) -> None:
        """Bring back the plan before the last edit.

        Raises:
            PlanError: There is none.
        """
        if not self._before:
            raise PlanError("Nothing to undo")
        self._after.append(self.plan)
        self._show(self._before.pop())

    def redo(self) -> None:
        """Make the last undone edit again.

        Raises:
            PlanError: There is none.
        """
        if not self._after:
            raise PlanError("Nothing to redo")
        self._before.append(self.plan)
        self._show(self._after.pop())

    def replace(self, plan: Plan) -> None:
        """Make another plan the draft: of a file, or from aboard. One step to undo.

        Raises:
            PlanError: It is too large.
        """
        next_id = self._next_id
        named, next_id = _with_ids(plan, next_id)
        self._commit(named)
        self._next_id = next_id

    def add(self, element: Element, at: int | None) -> None:
        """Add an element before the one at a place in its list, or at the end.

        Raises:
            PlanError: There would be too many, or it cannot be laid out.
        """
        kept = _qgc_altitude(element) if isinstance(element, Simple) else {}
        named = msgspec.structs.replace(element, id=self._next_id, kept=kept)
        named = laid_out(named) if isinstance(named, Survey) else named
        self._commit(_into(self.plan, lambda old: _inserted(old, named, at), named))
        self._next_id += 1

    def put(self, element: Element) -> None:
        """Put an element in the place of the one with its id, which must be of its type.

        Raises:
            PlanError: There is none, or it cannot be laid out.
        """
        old = self._find(element.id)
        if type(old) is not type(element):
            raise PlanError(f"element {element.id} is of another type")
        new = msgspec.structs.replace(element, kept=_kept(old, element))
        if isinstance(new, Survey):
            _check_layable(new)
            new = laid_out(new)
        changed = lambda all_: tuple(new if e.id == new.id else e for e in all_)  # noqa: E731
        self._commit(_into(self.plan, changed, new))

    def drop(self, ids: Sequence[int]) -> None:
        """Take elements out.

        Raises:
            PlanError: One of them is not there.
        """
        for each in ids:
            self._find(each)
        gone = set(ids)

        def left(all_: Iterable[E]) -> tuple[E, ...]:
            return tuple(e for e in all_ if e.id not in gone)

        plan = self.plan
        self._commit(
            msgspec.structs.replace(
                plan, items=left(plan.items), zones=left(plan.zones), rally=left(plan.rally)
            )
        )

    def move(self, number: int, to: int) -> None:
        """Move an element to a place in its list.

        Raises:
            PlanError: It is not there.
        """
        element = self._find(number)

        def moved(all_: tuple[Element, ...]) -> tuple[Element, ...]:
            return _inserted(tuple(e for e in all_ if e.id != number), element, to)

        self._commit(_into(self.plan, moved, element))

    def settle(self, plan: Plan) -> None:
        """Take a plan with the same elements and other settings."""
        self._commit(plan)

    def encode(self) -> bytes:
        """Return what is kept on disk: the plan, not the steps to undo."""
        return msgspec.json.encode(_Saved(_VERSION, self.plan, self._next_id))

    @classmethod
    def decode(cls, data: bytes) -> "Draft":
        """Return a draft that was kept.

        Raises:
            PlanError: It is damaged, or of another version.
        """
        try:
            saved = msgspec.json.decode(data, type=_Saved)
        except (msgspec.DecodeError, RecursionError) as error:
            raise PlanError(str(error)) from None
        ids = [element.id for element in saved.plan.elements()]
        if saved.version != _VERSION or len(set(ids)) < len(ids):
            raise PlanError(f"version = {saved.version}; allowed: {_VERSION}, with unique ids")
        draft = cls()
        draft.plan, draft._next_id = saved.plan, max([saved.next_id, *(n + 1 for n in ids)])
        return draft

    def _find(self, number: int) -> Element:
        for element in self.plan.elements():
            if element.id == number:
                return element
        raise PlanError(f"element {number} is not there any more")

    def _commit(self, plan: Plan) -> None:
        plan = _renumbered(self.plan, plan)
        count = max(len(plan.elements()), len(flown(plan)))
        if count > MAX_ITEMS:
            raise PlanError(f"the plan has {count} items; allowed: up to {MAX_ITEMS}")
        size = len(msgspec.json.encode(plan))
        if size > MAX_BYTES:
            raise PlanError(f"the plan has {size} bytes; allowed: up to {MAX_BYTES}")
        if plan == self.plan:
            return
        self._before.append(self.plan)
        self._after.clear()
        self._show(plan)

    def _show(self, plan: Plan) -> None:
        self.plan = plan
        self.revision += 1


def _with_ids(plan: Plan, next_id: int) -> tuple[Plan, int]:
    """Give every element a new id, in the order of the plan."""

    def named(all_: Sequence[E], first: int) -> tuple[E, ...]:
        return tuple(msgspec.structs.replace(e, id=first + n) for n, e in enumerate(all_))

    items = named(plan.items, next_id)
    zones = named(plan.zones, next_id + len(items))
    rally = named(plan.rally, next_id + len(items) + len(zones))
    new = msgspec.structs.replace(plan, items=items, zones=zones, rally=rally)
    return new, next_id + len(items) + len(zones) + len(rally)


def _into(
    plan: Plan, change: Callable[[tuple[Element, ...]], tuple[Element, ...]], element: Element
) -> Plan:
    """Change the list of a plan that an element belongs to."""
    match element:
        case Simple() | Survey() | Foreign():
            return msgspec.structs.replace(plan, items=change(plan.items))
        case Polygon() | Circle():
            return msgspec.structs.replace(plan, zones=change(plan.zones))
        case Rally():
            return msgspec.structs.replace(plan, rally=change(plan.rally))


def _inserted(all_: tuple[Element, ...], element: Element, at: int | None) -> tuple[Element, ...]:
    at = len(all_) if at is None else max(0, min(at, len(all_)))
    return (*all_[:at], element, *all_[at:])


def _kept(old: Element, new: Element) -> Kept:
    """Return what a file said of an element, but for what an edit has made untrue."""
    if isinstance(old, Survey):
        inner = old.kept.get(TRANSECTS, {})
        left = {key: value for key, value in inner.items() if key not in (POINTS, SHOTS)}
        return {**old.kept, TRANSECTS: left} if left else old.kept
    if not isinstance(old, Simple) or not isinstance(new, Simple):
        return old.kept
    same = (old.command, old.frame, old.altitude) == (new.command, new.frame, new.altitude)
    is_shown = "Altitude" in old.kept and not same
    return {**old.kept, **_qgc_altitude(new)} if is_shown else old.kept


def _qgc_altitude(item: Simple) -> Kept:
    """Return what QGroundControl's editor shows of an item's height."""
    if not item.has_place:
        return {}
    mode = _QGC_MODES.get(item.frame_stored, 1)
    return {"AMSLAltAboveTerrain": None, "Altitude": item.altitude, "AltitudeMode": mode}


def _check_layable(survey: Survey) -> None:
    transects = survey.kept.get(TRANSECTS, {})
    calc = transects.get(CAMERA_CALC, {})
    lost = [k for k in _NOT_LAID_OUT if transects.get(k) or survey.kept.get(k)]
    if calc.get("DistanceMode", 1) != 1 or calc.get("DistanceToSurfaceRelative") is False:
        lost.append("DistanceMode")
    if lost:
        raise PlanError(
            f"survey: its file asks for {', '.join(lost)}, which is not laid out here: "
            "it flies as it is, or put one of your own in its place"
        )


def _renumbered(old: Plan, new: Plan) -> Plan:
    """Let jumps go on to the items they went to, where those are after an edit."""
    was = {one.number: (one.entry, one.item) for one in flown(old)}
    if not any(isinstance(e, Simple) and e.command == JUMP for e in old.items):
        return new
    starts: dict[int, int] = {}
    for one in flown(new):
        starts.setdefault(one.entry, one.number)
    before = {entry.id: entry for entry in old.items}

    def followed(entry: Entry) -> Entry:
        # Who has just given the jump its number means the number.
        if not isinstance(entry, Simple) or entry.command != JUMP or before.get(entry.id) != entry:
            return entry
        target, *others = entry.params
        entry_id, _ = was.get(int(target or 0), (0, None))
        if starts.get(entry_id) in (None, target):
            return entry
        params = (float(starts[entry_id]), *others)
        return msgspec.structs.replace(entry, params=params)

    return msgspec.structs.replace(new, items=tuple(map(followed, new.items)))
