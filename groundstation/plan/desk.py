"""All drones' planning, and which page looks at which."""

from collections.abc import Mapping
from typing import Any, Protocol

from groundstation.plan.deeds import Flying, Planning, Watch
from groundstation.plan.draft import Draft
from groundstation.plan.model import PlanError
from groundstation.plan.planner import Planner, Vehicle
from groundstation.plan.route import Made, Route


class Page(Protocol):
    """A page that may be told something."""

    tidings: list[dict[str, Any]]


class Desk:
    """Planning at one gateway. The zero state has empty drafts, and nobody looks."""

    def __init__(self, vehicles: Mapping[str, Vehicle]) -> None:
        self._planners = {name: Planner(name, vehicle) for name, vehicle in vehicles.items()}
        self._looking: dict[Page, tuple[str, int]] = {}
        self._saving: dict[str, int] = {}
        self._asked: set[str] = set()

    def load(self, name: str, draft: Draft | None, note: str) -> None:
        """Take up a drone's draft from disk, or say why it could not be."""
        planner = self._planners[name]
        if draft is not None:
            planner.draft = draft
            planner.saved_revision = planner.tried_revision = draft.revision
        planner.note = note

    def carry_out(self, page: Page, said: Planning, now_ns: int) -> str:
        """Do what a page asks; return why not, "" if it is done or on its way."""
        planner = self._planners[said.drone]
        if isinstance(said.do, Watch):
            self.forget(page)
            if said.do.on:
                self._looking[page] = (said.drone, 0)
            return ""
        try:
            answer = planner.carry_out(said.do, now_ns)
        except PlanError as error:
            return str(error)
        if isinstance(said.do, Flying):
            self._asked.add(said.drone)
        if answer is not None:
            page.tidings.append({"t": "view", "view": "plan", "drone": said.drone, **answer})
        return ""

    def forget(self, page: Page) -> None:
        """Tell a page nothing more."""
        self._looking.pop(page, None)

    def tell(self, now_ns: int) -> None:
        """Tell every page that looks what has changed since it was told last."""
        for page, (name, version) in self._looking.items():
            planner = self._planners[name]
            changed = planner.since(version, now_ns)
            if changed:
                page.tidings.append({"t": "view", "view": "plan", "drone": name, **changed})
                self._looking[page] = (name, planner.version)

    def outgoing_routes(self) -> list[tuple[str, Route]]:
        """Return the routes to make trajectories of, each to be followed by `made` or `failed`."""
        routes = [(name, planner.flight.outgoing()) for name, planner in self._planners.items()]
        return [(name, route) for name, route in routes if route is not None]

    def made(self, name: str, made: Made, now_ns: int) -> None:
        """Bring a trajectory that has been made."""
        self._planners[name].flight.made(made, now_ns)
        self._asked.add(name)

    def failed(self, name: str, why: str) -> None:
        """Note why no trajectory could be made."""
        self._planners[name].flight.failed(why)

    def asked(self) -> set[str]:
        """Return the drones of which something has been asked since the last call."""
        out, self._asked = self._asked, set()
        return out

    def outgoing_saves(self) -> list[tuple[str, bytes]]:
        """Return the drafts that must be written to disk, each to be followed by `saved`."""
        out = []
        for name, planner in self._planners.items():
            revision = planner.draft.revision
            if revision != planner.tried_revision and name not in self._saving:
                self._saving[name] = planner.tried_revision = revision
                out.append((name, planner.draft.encode()))
        return out

    def saved(self, name: str, why: str) -> None:
        """Note that a draft is on disk, or why it is not."""
        planner, revision = self._planners[name], self._saving.pop(name)
        planner.note = why and f"The draft is not saved: {why}"
        if not why:
            planner.saved_revision = revision
