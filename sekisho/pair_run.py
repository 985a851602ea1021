"""Carry one pairing to its end: line, clock, the person at this screen, and the record."""

import contextlib
import os
import select
import termios
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic_ns
from typing import Final, TextIO

import msgspec

from crypto.aio.files import StoreError, check_name
from crypto.aio.store import Store
from crypto.pair import PairRecord
from crypto.pairing import Aborted, Compare, Event, Met, Pairing, Save, State
from crypto.pairing_exchange import Peer
from crypto.pairing_messages import Abort
from sekisho.pair_line import FrameReader, Line, encode_frame

AGAIN: Final = "start again on both ends, with the new token"
EXPLANATIONS: Final = {
    Abort.WRONG_TOKEN: f"the other end does not hold this token; it is used up: {AGAIN}",
    Abort.TOKEN_EXPIRED: f"nobody used the token within 5 minutes: {AGAIN}",
    Abort.TIMED_OUT: f"the other end, or one of the two people, took too long: {AGAIN}",
    Abort.UNEXPECTED_MESSAGE: f"something else than the next step came over the line: {AGAIN}",
    Abort.BAD_MESSAGE: "what came over the line was damaged, made with another token, or not by "
    f"the other end: {AGAIN}",
    Abort.BROKEN_COMMITMENT: "the other end cheated: somebody may be between the two; use a "
    "direct cable",
    Abort.CODES_DIFFER: "the codes were not confirmed here; if they really differed, somebody is "
    "between the two: use a direct cable",
    Abort.ENDED_HERE: "ended here",
    Abort.ENDED_THERE: "the other end called it off: its screen says why",
    Abort.LINE_CLOSED: "the line was closed by the other end (a wrong token looks like this, too):"
    f" {AGAIN}",
}
_WAITING: Final = {
    State.TOKEN_SHOWN: "waiting for the ground station",
    State.GREETED: "exchanging keys",
    State.OFFERED: "exchanging keys",
    State.SAID_YES: "waiting for the answer at the other end",
    State.AGREED: "waiting for the drone to write its record",
}
_PROGRESS_S: Final = 1.0


class PairingFailedError(Exception):
    """The pairing ended without a record here; the text says why and what to do."""

    def __init__(self, reason: Abort) -> None:
        super().__init__(EXPLANATIONS[reason])
        self.reason = reason


class Screen:
    """What the person at this end reads, and types: a terminal, or pipes played by a program."""

    def __init__(self, out: TextIO, typed: int = 0) -> None:
        self._out = out
        self._typed = typed
        self._rest = b""
        self._is_ended = False
        self._shows_progress = False
        self._asked = False

    @property
    def is_terminal(self) -> bool:
        """Tell whether somebody sees it as it is written."""
        return self._out.isatty()

    @property
    def out(self) -> TextIO:
        """Where to draw."""
        return self._out

    def say(self, text: str) -> None:
        """Write a line."""
        self.end_line()
        print(text, file=self._out, flush=True)

    def ask(self, question: str) -> None:
        """Write a question; what was typed before it is no answer to it."""
        self.end_line()
        print(question, end=" ", file=self._out, flush=True)
        self._asked = True
        if os.isatty(self._typed):
            termios.tcflush(self._typed, termios.TCIFLUSH)

    def progress(self, text: str) -> None:
        """Show what is waited for, on a terminal only."""
        if self.is_terminal:
            self._shows_progress = True
            print(f"\r\x1b[K{text}", end="", file=self._out, flush=True)

    def fileno(self) -> int:
        """Return the descriptor on which typing arrives."""
        return self._typed

    @property
    def has_line(self) -> bool:
        """Tell whether `read_line` would return at once."""
        return b"\n" in self._rest or self._is_ended

    def read_line(self) -> str:
        """Return one line; what is there at the end of the input, nothing at least."""
        while not self.has_line:
            self.take_typed()
        line, _, self._rest = self._rest.partition(b"\n")
        self._asked = self._asked and not os.isatty(self._typed)  # a terminal echoes the Enter
        return line.decode(errors="replace").strip()

    def take_typed(self) -> None:
        """Take what was typed; call it when the descriptor is readable."""
        data = os.read(self._typed, 4096)
        self._rest += data
        self._is_ended = not data

    def end_line(self) -> None:
        """Make sure that what comes next starts a line."""
        if self._shows_progress:
            print("\r\x1b[K", end="", file=self._out)
        if self._asked:
            print(file=self._out)
        self._shows_progress = self._asked = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where this end keeps its record, and under which name; without one, the peer's claim."""

    store: Store
    name: str | None
    replace: bool

    def check_free(self) -> None:
        """Refuse a name that is taken, before anything starts.

        Raises:
            StoreError: It is taken, or no name.
        """
        if self.name is not None:
            self._check_path(self.name)

    def check_peer(self, peer: Peer, peer_id_of: Callable[[PairRecord], bytes]) -> str:
        """Return the name for a peer whose device id is now known.

        Raises:
            StoreError: The name is taken, no name, or the peer is paired under another.
        """
        name = check_name(peer.claimed_name) if self.name is None else self.name
        self._check_path(name)
        for record in self.store.load_pairs():
            if peer_id_of(record) == peer.device_id and record.peer != name:
                raise StoreError(
                    f"{self.store.pair_path(record.peer)}: this very device is already paired "
                    f"as {record.peer!r}; add --name {record.peer} --replace, or remove that file"
                )
        return name

    def _check_path(self, name: str) -> None:
        path = self.store.pair_path(name)
        if path.exists() and not self.replace:
            raise StoreError(f"{path}: already paired; add --replace to make new keys")


class Run:
    """One pairing at this end."""

    def __init__(self, pairing: Pairing, line: Line, screen: Screen, shelf: Shelf) -> None:
        self._pairing = pairing
        self._line = line
        self._screen = screen
        self._shelf = shelf
        self._reader = FrameReader()
        self._name = ""
        self._saved: PairRecord | None = None

    def until_saved(
        self, peer_id_of: Callable[[PairRecord], bytes], before_saving: Callable[[], None]
    ) -> PairRecord:
        """Pair, and return the record that was written.

        Raises:
            PairingFailedError: It ended without a record.
            StoreError: The peer cannot be kept under the name it should have.
            RefusedError: `before_saving` refused.
        """
        try:
            while not self._pairing.is_over:
                self._flush()
                for event in self._wait():
                    self._take(event, peer_id_of, before_saving)
        finally:
            # However it ends here, a refusal or Ctrl-C, the other end hears of it if it can.
            self._pairing.cancel()
            self._flush()
            with contextlib.suppress(OSError):
                self._line.close()
        if self._saved is None:
            assert self._pairing.reason is not None
            raise PairingFailedError(self._pairing.reason)
        return self._saved

    def _take(
        self,
        event: Event,
        peer_id_of: Callable[[PairRecord], bytes],
        before_saving: Callable[[], None],
    ) -> None:
        match event:
            case Met(peer):
                self._name = self._shelf.check_peer(peer, peer_id_of)
                self._screen.say(f"The other end holds the token; it will be kept as {self._name}.")
            case Compare(code):
                self._screen.ask(f"Does the other screen show {code[:3]} {code[3:]}? [y/N]")
            case Save(record):
                self._screen.say("Both people agree on the code.")
                before_saving()
                record = msgspec.structs.replace(record, peer=self._name)
                self._shelf.store.save_pair(record)
                self._saved = record
                if not self._pairing.is_over:  # the drone writes first, and says so
                    self._pairing.saved()
            case Aborted():
                pass  # raised when the other end has been told

    def _flush(self) -> None:
        for message in self._pairing.outgoing():
            try:
                self._line.write(encode_frame(message))
            except OSError:
                self._pairing.line_closed()

    def _wait(self) -> Iterable[Event]:
        """Return what the line, the person or the clock brings next, perhaps nothing."""
        now_ns = monotonic_ns()
        deadline_ns = self._pairing.deadline_ns()
        if deadline_ns is None:
            return []
        left_s = max(0.0, (deadline_ns - now_ns) * 1e-9)
        asking = self._pairing.state in (State.COMPARING, State.HEARD_YES)
        if asking and self._screen.has_line:
            return self._answer()
        if not asking:
            waiting = _WAITING[self._pairing.state]
            self._screen.progress(f"{waiting} ... {left_s // 60:.0f}:{left_s % 60:02.0f} left")
        line, typed = self._line.fileno(), self._screen.fileno()
        waited_on = [line, typed] if asking else [line]
        readable, _, _ = select.select(waited_on, [], [], min(left_s, _PROGRESS_S))
        if line in readable:
            return self._read_line()
        if typed in readable:
            self._screen.take_typed()
        return self._pairing.tick(monotonic_ns())

    def _answer(self) -> list[Event]:
        matches = self._screen.read_line().lower() in ("y", "yes")
        return self._pairing.answer(monotonic_ns(), matches=matches)

    def _read_line(self) -> Iterator[Event]:
        """Yield what the line brings: each event is acted on before the next message is taken."""
        try:
            data = self._line.read()
        except OSError:
            data = None
        if data is None:
            yield from self._pairing.line_closed()
        else:
            for message in self._reader.receive_untrusted(data):
                yield from self._pairing.receive(message, monotonic_ns())
