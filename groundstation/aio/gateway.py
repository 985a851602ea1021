"""The gateway's shell: one link socket and the loopback endpoints of each drone."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from crypto.aio.files import StoreError
from crypto.aio.store import Store
from crypto.confirmation import NONCE_BYTES
from crypto.pair import PairRecord
from groundstation.aio.endpoints import Endpoint, TcpServer, UdpOut, UdpServer
from groundstation.aio.recorder import DroneRecorder, open_recorder
from groundstation.aio.udp_link import UdpLink
from groundstation.config import Drone, GroundConfig
from groundstation.logbook import Logbook
from groundstation.station import Station, StationStatus
from wire.aio.alarm import Alarm, monotonic_ns
from wire.aio.disk import Disk
from wire.aio.serial_link import SerialLink, line_rate
from wire.authority import NOBODY, Verb
from wire.locality import RADIO, UDP, Address, NotAllowedError, parse_local, parse_loopback
from wire.summary import LinkSummary, merge_drops
from wire.tasking import NO_TRAJECTORY, FlyVerb
from wire.trail import Event, Topic
from wire.trajectory import IDENTITY_BYTES, MAX_BYTES

_log = logging.getLogger(__name__)

OnPlain = Callable[[bytes, int], None]  # MAVLink frames of one datagram, the time
# A deadline may be late on a busy machine; later than this, something no longer runs.
_OVERDUE_NS = 1_000_000_000


_UPLOAD: Final = "fly_upload"
_FLY: Final = "fly_"
_VALUE_BYTES: Final = {
    "confirm": (NONCE_BYTES,),
    "decline": (NONCE_BYTES,),
    _UPLOAD: (0,),
    **{f"{_FLY}{verb.name.lower()}": (0, IDENTITY_BYTES) for verb in FlyVerb},
}


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `sekisho authority`, `confirm` and `trajectory` ask of a running gateway.

    `value` is hexadecimal: the station a request names, the nonce that is confirmed, or the
    trajectory that is meant. `document` is the trajectory that is brought.
    """

    drone: str
    do: Literal[
        "hand_over",
        "accept",
        "claim",
        "preempt",
        "suspend",
        "clear_alarm",
        "confirm",
        "decline",
        "fly_upload",
        "fly_start",
        "fly_pause",
        "fly_resume",
        "fly_abort",
        "fly_clear",
    ]
    value: str = ""
    document: bytes = b""

    def __post_init__(self) -> None:
        if len(bytes.fromhex(self.value)) not in _VALUE_BYTES.get(self.do, (0, len(NOBODY))):
            raise ValueError("the value has the wrong length")
        if (self.do == _UPLOAD) != (0 < len(self.document) <= MAX_BYTES):
            raise ValueError("the document has the wrong length")


class GatewayStatus(msgspec.Struct):
    """The gateway for `sekisho status`; `link` adds up all drones."""

    link: LinkSummary
    peers: dict[str, StationStatus]


class _DroneLink:
    """One drone: its socket, its core and its endpoints."""

    def __init__(
        self,
        config: Drone,
        store: Store,
        disk: Disk,
        station: Station,
        recorder: DroneRecorder,
    ) -> None:
        self.name = config.name
        self._store = store
        self._disk = disk
        self.station = station
        self.recorder = recorder
        self.endpoints: list[Endpoint] = []
        self._udp = (
            None if config.address is None else UdpLink(parse_local(config.address), self._from_udp)
        )
        self._radio = (
            None
            if config.device is None
            else SerialLink("device", config.device, config.baud, self._from_radio)
        )
        self._config = config
        self._watchers: list[OnPlain] = []
        self._alarm = Alarm(lambda: self._pump(monotonic_ns()))
        self._was_live = False
        self._log_head: str | None = None

    async def start(self) -> None:
        """Open the endpoints and start calling the drone.

        Raises:
            NotAllowedError: An endpoint's address is taken.
        """
        config = self._config
        for text in config.mavlink_out:
            self.endpoints.append(UdpOut(parse_loopback(text), self.send))
        if config.mavlink_udp is not None:
            with _naming("mavlink_udp", config.mavlink_udp, self.name):
                server = UdpServer(parse_loopback(config.mavlink_udp), self.send)
            self.endpoints.append(server)
        if config.mavlink_tcp is not None:
            tcp = TcpServer(self.send)
            with _naming("mavlink_tcp", config.mavlink_tcp, self.name):
                await tcp.start(parse_loopback(config.mavlink_tcp))
            self.endpoints.append(tcp)
        if self._radio is not None:
            self._radio.start()
        self._pump(monotonic_ns())

    def watch(self, on_plain: OnPlain) -> None:
        """Show every datagram's MAVLink frames to somebody else as well."""
        self._watchers.append(on_plain)

    def send(self, frames: list[bytes]) -> None:
        """Send what an operator or a tool has to say to the drone."""
        now_ns = monotonic_ns()
        self.recorder.send(frames, now_ns)
        self.station.send(frames, now_ns)
        self._pump(now_ns)

    def close(self) -> None:
        """Stop at once."""
        self.recorder.finish(monotonic_ns())
        self._alarm.cancel()
        if self._udp is not None:
            self._udp.close()
        if self._radio is not None:
            self._radio.close()
        for endpoint in self.endpoints:
            endpoint.close()

    def is_overdue(self, now_ns: int) -> bool:
        """Tell whether something should have been done long ago."""
        deadline_ns = self.station.deadline_ns()
        return deadline_ns is not None and deadline_ns < now_ns - _OVERDUE_NS

    def status(self) -> StationStatus:
        """Describe everything that is counted."""
        status = self.station.status(monotonic_ns())
        noise: list[Mapping[str, int]] = [
            {f"tools_{reason}": count for reason, count in endpoint.dropped.items()}
            for endpoint in self.endpoints
        ]
        if self._radio is not None:
            status.radio = self._radio.describe()
        status.recorder = self.recorder.status()
        if self._udp is not None:
            noise.append(self._udp.dropped)
        status.link.dropped = merge_drops(status.link.dropped, *noise)
        return status

    def request(self, request: Control) -> str:
        """Carry out what the operator asks for in words; return what became of it."""
        now_ns = monotonic_ns()
        command = self.station.command
        match request.do:
            case "confirm":
                is_open = command.confirm(bytes.fromhex(request.value), now_ns)
                answer = "sent" if is_open else "nothing waits for that confirmation"
            case "decline":
                command.decline(bytes.fromhex(request.value))
                answer = "sent"
            case "fly_upload":
                self.station.task.offer(request.document, now_ns)
                answer = "sent"
            case fly if fly.startswith(_FLY):
                identity = bytes.fromhex(request.value) or NO_TRAJECTORY
                verb = FlyVerb[fly.removeprefix(_FLY).upper()]
                self.station.task.request(verb, identity, now_ns)
                answer = "sent"
            case _:
                station = bytes.fromhex(request.value) or NOBODY
                command.request(Verb[request.do.upper()], station, now_ns)
                answer = "sent"
        self._pump(now_ns)
        return answer

    def _from_udp(self, datagrams: list[bytes]) -> None:
        now_ns = monotonic_ns()
        for datagram in datagrams:
            self._receive(datagram, UDP, now_ns)
        self._pump(now_ns)

    def _from_radio(self, datagram: bytes) -> None:
        now_ns = monotonic_ns()
        self._receive(datagram, RADIO, now_ns)
        self._pump(now_ns)

    def _receive(self, datagram: bytes, path: Address, now_ns: int) -> None:
        plain = self.station.receive_link(datagram, now_ns, path)
        if plain:
            self.recorder.receive(plain, now_ns)
            for endpoint in self.endpoints:
                endpoint.send(plain)
            for on_plain in self._watchers:
                on_plain(plain, now_ns)

    def _pump(self, now_ns: int) -> None:
        station = self.station
        self._send()
        deadline_ns = station.deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            station.tick(now_ns)
            self._send()
            deadline_ns = station.deadline_ns()
        record_ns = self.recorder.deadline_ns()
        if record_ns is not None and record_ns <= now_ns:
            self.recorder.tick(now_ns)
            record_ns = self.recorder.deadline_ns()
        self._alarm.set(deadline_ns, now_ns)
        self._alarm.set(record_ns, now_ns)
        if station.is_live(now_ns) != self._was_live:
            self._was_live = not self._was_live
            _log.info("%s: link %s", self.name, "up" if self._was_live else "lost")
        if station.log_head != self._log_head:
            self._log_head = station.log_head
            _log.info(
                "%s: recording, boot %s, head %s",
                self.name,
                station.drone_boot_count,
                self._log_head,
            )

    def _send(self) -> None:
        for record in self.station.custody.outgoing_saves():
            self._save(record)
        for datagram, path in self.station.outgoing():
            if path == RADIO and self._radio is not None:
                self._radio.write(datagram)
            elif self._udp is not None:
                self._udp.send(datagram)

    def _save(self, record: PairRecord) -> None:
        def done(is_saved: bool) -> None:  # noqa: FBT001 - the disk's answer
            now_ns = monotonic_ns()
            if is_saved:
                self.station.custody.saved(record)
            else:
                self.station.custody.save_failed(now_ns)
            self._pump(now_ns)

        self._disk.write(lambda: self._store.update_pair(record), done)


def _station(config: Drone, pair: PairRecord, boot_count: int) -> Station:
    ways = [UDP] if config.address is not None else []
    ways += [RADIO] if config.device is not None else []
    rate = config.rate or line_rate(config.baud)
    return Station(pair, boot_count, os.urandom, ways, rate)


@contextlib.contextmanager
def _naming(key: str, text: str, drone: str) -> Iterator[None]:
    """Turn a failure to listen into an error that says which key of which drone is at fault."""
    try:
        yield
    except OSError as error:
        allowed = f"a loopback address whose port is free ({error.strerror})"
        raise NotAllowedError(f"drone {drone!r}: {key}", text, allowed) from None


class Gateway:
    """All drones of one `ground.toml`."""

    def __init__(
        self, config: GroundConfig, store: Store, pairs: dict[str, PairRecord], boot_count: int
    ) -> None:
        self.station_names = config.stations
        self._disk = Disk((OSError, StoreError))
        self._recorder = open_recorder(config, store, pairs, boot_count)
        self._links = []
        for drone in config.drone:
            station = _station(drone, pairs[drone.name], boot_count)
            logbook = Logbook(drone.name, config.stations)
            recorder = DroneRecorder(station, logbook, self._recorder, config.recorder.when)
            self._links.append(_DroneLink(drone, store, self._disk, station, recorder))
        self._store = store
        self.reload_revocations()

    async def start(self) -> None:
        """Open every endpoint and start calling every drone."""
        for link in self._links:
            await link.start()

    def close(self) -> None:
        """Stop at once, once what must survive is on disk."""
        for link in self._links:
            link.close()
        self._recorder.close(monotonic_ns())
        self._disk.close()

    @property
    def stations(self) -> dict[str, Station]:
        """The core of every drone's link, by the drone's name."""
        return {link.name: link.station for link in self._links}

    def watch(self, drone: str, on_plain: OnPlain) -> None:
        """Show the frames of one drone to somebody as they come."""
        self._named(drone).watch(on_plain)

    def send(self, drone: str, frames: list[bytes]) -> None:
        """Send frames to one drone."""
        self._named(drone).send(frames)

    def note(self, event: Event) -> None:
        """Write down what operators do."""
        self._recorder.note(event, monotonic_ns())

    def recorder(self, drone: str) -> dict[str, str | int | None]:
        """Describe what is being recorded of one drone."""
        return self._named(drone).recorder.status()

    def pump(self, drone: str) -> None:
        """Let what has been asked of one drone's core leave at once."""
        self._named(drone).send([])

    def reload_revocations(self) -> None:
        """Bring the list in the state directory to every drone that has an older one."""
        signed = self._store.load_signed_revocations()
        if signed is not None:
            for link in self._links:
                link.station.custody.bring_revocations(
                    self._store.load_revocations().serial, signed
                )

    def stuck(self) -> str | None:
        """Return what no longer runs, None while all is well."""
        late = [link.name for link in self._links if link.is_overdue(monotonic_ns())]
        return f"a deadline is overdue: {', '.join(late)}" if late else None

    def summary(self) -> str:
        """Say in one line how things stand."""
        now_ns = monotonic_ns()
        return ", ".join(
            f"{link.name} {'live' if link.station.is_live(now_ns) else 'not heard'}"
            for link in self._links
        )

    def request(self, request: Control) -> str:
        """Carry out what the operator asks for in words; return what became of it."""
        for link in self._links:
            if link.name == request.drone:
                self.note(
                    Event(Topic.AUTHORITY, request.do, by="command line", drone=request.drone)
                )
                return link.request(request)
        names = ", ".join(link.name for link in self._links)
        return f"no drone {request.drone!r} here; known: {names}"

    def _named(self, drone: str) -> _DroneLink:
        return next(link for link in self._links if link.name == drone)

    def status(self) -> GatewayStatus:
        """Describe everything that is counted."""
        peers = {link.name: link.status() for link in self._links}
        links = [peer.link for peer in peers.values()]
        return GatewayStatus(link=LinkSummary.total(links), peers=peers)
