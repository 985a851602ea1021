"""Keeps each drone's draft on disk, whole or not at all; one that is damaged is put aside."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

from crypto.aio.files import StoreError, write_private
from groundstation.plan.desk import Desk
from groundstation.plan.draft import Draft
from groundstation.plan.model import PlanError
from wire.aio.disk import Disk

_ENDING: Final = ".draft.json"
_ASIDE: Final = ".damaged"

_log = logging.getLogger(__name__)


class Drafts:
    """The directory of the drafts. `close` waits for what is being written."""

    def __init__(self, directory: Path, desk: Desk) -> None:
        self._directory = directory
        self._desk = desk
        self._disk = Disk((OSError, StoreError))

    def load(self, names: Iterable[str]) -> None:
        """Take up what is there."""
        for name in names:
            path = self._directory / f"{name}{_ENDING}"
            note, draft = "", None
            try:
                draft = Draft.decode(path.read_bytes())
            except FileNotFoundError:
                pass
            except PlanError as error:
                aside = path.with_name(path.name + _ASIDE)
                path.replace(aside)
                note = f"The saved draft cannot be read ({error}); it is kept as {aside}"
            except OSError as error:
                note = f"The saved draft cannot be read: {path}: {error.strerror}"
            if note:
                _log.warning("%s: %s", name, note)
            self._desk.load(name, draft, note)

    def save(self) -> None:
        """Write what has changed, if nothing of it is being written."""
        for name, data in self._desk.outgoing_saves():
            path = self._directory / f"{name}{_ENDING}"
            self._disk.write(partial(write_private, path, data), self._done(name))

    def close(self) -> None:
        """Let what waits be written."""
        self.save()
        self._disk.close()

    def _done(self, name: str) -> Callable[[bool], None]:
        def done(is_saved: bool) -> None:  # noqa: FBT001 - the disk's answer
            where = "" if is_saved else f"{self._directory} cannot be written"
            self._desk.saved(name, where)

        return done
