"""The planning of one drone: carries out what pages ask, and says how draft and drone stand."""

from collections.abc import Callable
from typing import Any, Final, Protocol, assert_never

import msgspec

from groundstation.plan import deeds
from groundstation.plan.aboard import Aboard, Outcome
from groundstation.plan.check import Finding, Level, check, statistics
from groundstation.plan.draft import Draft
from groundstation.plan.flight import Flight, Flyer
from groundstation.plan.model import Element, Foreign, Plan, PlanError, Simple, Survey, flown
from groundstation.plan.onboard import (
    FENCE,
    KIND_NAMES,
    KINDS,
    MISSION,
    RALLY,
    OnboardItem,
    command_name,
    compare,
    digest,
    home_item,
    lists,
    mission_of,
    rally_of,
    zones_of,
)
from groundstation.plan.qgc import read_plan_untrusted
from groundstation.plan.qgc_write import write_plan
from groundstation.plan.route import taken

Section = dict[str, Any]
_OLD_PICTURE: Final = "What is aboard has changed since it was compared: read it again"


class Vehicle(Flyer, Protocol):
    """What planning needs of a drone at the console."""

    aboard: Aboard

    def why_no_transfer(self, kind: int | None) -> str:
        """Return why nothing can be read, or this list not be sent, now; "" if it can."""


class Planner:
    """One drone's draft beside what it has aboard. The zero state has an empty draft.

    Invariant: nothing is sent to the drone but by a `Send`, of lists in whose draft there is no
    error, against exactly what is aboard, and by what `Flight` is asked.
    """

    def __init__(self, name: str, vehicle: Vehicle) -> None:
        self.name = name
        self.draft = Draft()
        self.flight = Flight(vehicle)
        self.note = ""  # what became of the draft on disk, "" if all is well
        self.version = 0
        self.saved_revision = self.tried_revision = 0
        self._vehicle = vehicle
        self._sections: dict[str, tuple[int, Section]] = {}
        self._of: dict[str, object] = {}

    def carry_out(self, do: deeds.Task, now_ns: int) -> Section | None:
        """Do what a page asks; return what that page alone is to be told.

        Raises:
            PlanError: It cannot be done; nothing has been changed, nothing sent.
        """
        aboard = self._vehicle.aboard
        match do:
            case deeds.Clear():
                self.draft.replace(Plan())
            case deeds.Import(text=text):
                self.draft.replace(read_plan_untrusted(text))
            case deeds.Export():
                text = write_plan(self.draft.plan, self._vehicle.home)
                return {"file": {"name": f"{self.name}.plan", "text": text}}
            case deeds.Read():
                self._check_transfer(None)
                aboard.read(KINDS, now_ns)
            case deeds.Take():
                self._take()
            case deeds.Send():
                self._send(do, now_ns)
            case deeds.Cancel():
                aboard.cancel("cancelled", now_ns)
            case deeds.Bring():
                self._bring(do, now_ns)
            case deeds.Start() | deeds.Pause() | deeds.Resume() | deeds.Abort() | deeds.Forget():
                self.flight.ask(do, now_ns)
            case _:
                self._edit(do)
        return None

    def _edit(self, do: deeds.Edit) -> None:
        draft = self.draft
        match do:
            case deeds.Add(element=element, at=at):
                draft.add(element, at)
            case deeds.Put(element=element):
                draft.put(element)
            case deeds.Drop(ids=ids):
                draft.drop(ids)
            case deeds.Move(element=element_id, to=to):
                draft.move(element_id, to)
            case deeds.Settle():
                settings = msgspec.structs.asdict(do)
                draft.settle(msgspec.structs.replace(draft.plan, **settings))
            case deeds.Undo():
                draft.undo()
            case deeds.Redo():
                draft.redo()
            case _:
                assert_never(do)

    def since(self, version: int, now_ns: int) -> dict[str, Section]:
        """Return the sections that have changed since `version`."""
        self._look(now_ns)
        return {name: shown for name, (at, shown) in self._sections.items() if at > version}

    def _look(self, now_ns: int) -> None:
        draft, aboard = self.draft, self._vehicle.aboard
        home, limits = self._vehicle.home, aboard.limits
        saved = draft.revision == self.saved_revision
        self._show("draft", (draft.revision, saved, self.note, home), self._draft_section)
        self._show("checks", (draft.revision, limits, home), self._checks_section)
        self._show("aboard", (draft.revision, aboard.version, home), self._aboard_section)
        can = [self._vehicle.why_no_transfer(kind) for kind in (None, *KINDS)]
        self._show(
            "transfer",
            (aboard.activity, aboard.is_busy, aboard.version, can),
            lambda: self._transfer_section(can),
        )
        self._show("route", (draft.revision, limits, home), self._route_section)
        flight = self.flight.section(draft.revision, now_ns)
        self._show("flight", flight, lambda: flight)
        ways = self.flight.ways(draft.revision, now_ns)
        self._show("ways", ways, lambda: {"ways": ways})

    def _show(self, name: str, of: object, make: Callable[[], Section]) -> None:
        """Make a section anew if what it is made of has changed."""
        if self._of.get(name) != of:
            self._of[name] = of
            self.version += 1
            self._sections[name] = (self.version, make())

    def _effective(self) -> Plan:
        """Return the draft with the home that holds: its own, else the drone's."""
        plan = self.draft.plan
        home = plan.home or self._vehicle.home
        return msgspec.structs.replace(plan, home=home)

    def _draft_section(self) -> Section:
        plan = self.draft.plan
        first: dict[int, int] = {}
        for one in flown(plan):
            first.setdefault(one.entry, one.number)
        home = self._vehicle.home
        return {
            "items": [{**_shown(e), "number": first.get(e.id)} for e in plan.items],
            "zones": [_shown(zone) for zone in plan.zones],
            "rally": [_shown(rally) for rally in plan.rally],
            "home": None if plan.home is None else msgspec.to_builtins(plan.home),
            "vehicle_home": None if home is None else msgspec.to_builtins(home),
            "hover_speed": plan.hover_speed,
            "cruise_speed": plan.cruise_speed,
            "ceiling": plan.ceiling,
            "kept": _kept_names(plan),
            "can_undo": self.draft.can_undo,
            "can_redo": self.draft.can_redo,
            "saved": self.draft.revision == self.saved_revision,
            "note": self.note,
        }

    def _checks_section(self) -> Section:
        plan = self._effective()
        return {
            "findings": self._findings(plan),
            "statistics": statistics(plan)._asdict(),
            "limits": self._vehicle.aboard.limits._asdict(),
        }

    def _findings(self, plan: Plan) -> list[Finding]:
        return check(plan, self._vehicle.aboard.limits)

    def _route_section(self) -> Section:
        """Say what of the draft the companion would fly, or why it cannot."""
        try:
            found = taken(self._as_flown())
        except PlanError as error:
            return {"places": 0, "left_out": (), "waits": (), "why": str(error)}
        return found._asdict() | {"places": len(found.places), "why": ""}

    def _as_flown(self) -> Plan:
        """Return the draft with the home that the autopilot has: heights count from that alone."""
        return msgspec.structs.replace(self.draft.plan, home=self._vehicle.home)

    def _error_in(self, *kinds: int) -> str:
        for finding in self._findings(self._effective()):
            if finding.level is Level.ERROR and finding.kind in kinds:
                return finding.text
        return ""

    def _bring(self, do: deeds.Bring, now_ns: int) -> None:
        error = self._error_in(MISSION)
        if error:
            raise PlanError(f"Not brought: {error}")
        self.flight.bring(self._as_flown(), do, self.draft.revision, now_ns)

    def _aboard_section(self) -> Section:
        aboard = self._vehicle.aboard
        try:
            ours: dict[int, list[OnboardItem]] | None = lists(self._effective())
        except PlanError:
            ours = None  # the checks name it
        shown: Section = {}
        for kind in KINDS:
            known = aboard.known(kind)
            first = 1 if kind == MISSION else 0
            if known is None:
                shown[KIND_NAMES[kind]] = {"known": False, "failed": aboard.readers[kind].failed}
                continue
            rows = None if ours is None else compare(ours[kind], known, first)
            shown[KIND_NAMES[kind]] = {
                "known": True,
                "digest": digest(known),
                "count": len(known),
                "read_ms": aboard.read_ns[kind] // 1_000_000,
                "same": rows is not None and all(row.same for row in rows),
                "rows": rows,
            }
        return shown

    def _transfer_section(self, can: list[str]) -> Section:
        word, kind, done, total = self._vehicle.aboard.activity
        names = ("read", *(KIND_NAMES[kind] for kind in KINDS))
        return {
            "activity": word,
            "kind": KIND_NAMES[kind] if word else "",
            "done": done,
            "total": total,
            "busy": self._vehicle.aboard.is_busy,
            "blocked": dict(zip(names, can, strict=True)),
            "outcomes": [_shown_outcome(o) for o in self._vehicle.aboard.outcomes],
        }

    def _check_transfer(self, kind: int | None) -> None:
        why = self._vehicle.why_no_transfer(kind)
        if not why and self._vehicle.aboard.is_sending:
            why = "A transfer is under way"
        if why:
            raise PlanError(why)

    def _take(self) -> None:
        known = {kind: self._vehicle.aboard.known(kind) for kind in KINDS}
        mission, fence, rally = known[MISSION], known[FENCE], known[RALLY]
        if mission is None or fence is None or rally is None:
            missing = ", ".join(KIND_NAMES[kind] for kind, items in known.items() if items is None)
            raise PlanError(f"Read it first: {missing} aboard not known")
        old = self.draft.plan
        self.draft.replace(
            Plan(
                items=mission_of(mission),
                zones=zones_of(fence),
                rally=rally_of(rally),
                home=self._vehicle.home,
                hover_speed=old.hover_speed,
                cruise_speed=old.cruise_speed,
                ceiling=old.ceiling,
            )
        )

    def _send(self, do: deeds.Send, now_ns: int) -> None:
        plan = self._effective()
        wanted = {MISSION: do.mission, FENCE: do.fence, RALLY: do.rally}
        asked = {kind: against for kind, against in wanted.items() if against is not None}
        if not asked:
            raise PlanError("Nothing was chosen to be sent")
        error = self._error_in(*asked)
        if error:
            raise PlanError(f"Not sent: {error}")
        ours = lists(plan)
        aboard = self._vehicle.aboard
        for kind, against in asked.items():
            self._check_transfer(kind)
            known = aboard.known(kind)
            if known is None or digest(known) != against:
                raise PlanError(_OLD_PICTURE)
        if ours[MISSION]:
            ours[MISSION] = [home_item(plan), *ours[MISSION]]
        # The fence first: a mission that begins at once is then flown inside it.
        order = [kind for kind in (FENCE, RALLY, MISSION) if kind in asked]
        aboard.send([(kind, ours[kind]) for kind in order], now_ns)


def _shown(element: Element) -> Section:
    """Return an element as the page gets it: the way of a survey, not each of its items."""
    items: tuple[Simple, ...] = ()
    if isinstance(element, Survey | Foreign):
        items = element.items or ()
        element = msgspec.structs.replace(element, items=())
    shown: Section = msgspec.to_builtins(msgspec.structs.replace(element, kept={}))
    del shown["kept"]
    if isinstance(element, Survey | Foreign):
        del shown["items"]
        shown["path"] = [item.place for item in items if item.place is not None]
        shown["count"] = len(items)
    if isinstance(element, Simple):
        shown |= {"name": command_name(element.command), "has_place": element.has_place}
    return shown


def _shown_outcome(outcome: Outcome) -> Section:
    return {
        "kind": KIND_NAMES[outcome.kind],
        "why": outcome.why,
        "verdict": outcome.verdict.value,
        "rows": outcome.rows,
        "finished_ms": outcome.finished_ns // 1_000_000,
    }


def _kept_names(plan: Plan) -> list[str]:
    """Return what of a file is kept and written back, but not sent to the drone."""
    return sorted(key for key in plan.kept.get("fence", {}) | plan.kept.get("rally", {}))
