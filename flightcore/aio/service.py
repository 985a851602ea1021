"""The companion's shell: owns the clock, the line and the link's socket; decides nothing."""

import contextlib
import logging
import os
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from crypto.aio.files import StoreError
from crypto.aio.store import Store
from crypto.pair import PairRecord
from crypto.revocation import RefusedListError
from flightcore.aio.link_port import LinkPort
from flightcore.aio.loop_port import LoopPort
from flightcore.aio.port_finder import AutoLine, candidates
from flightcore.aio.ports import Port, UdpPort
from flightcore.aio.recorder import Device, Lines, open_recorder
from flightcore.aio.signing_files import load_signing, save_floor, save_keys
from flightcore.authority import AuthorityState
from flightcore.companion import Companion, Save
from flightcore.companion_status import CompanionStatus
from flightcore.config import UDP_DEVICE, DroneConfig, MaxAge, RateWish
from flightcore.custody import AcceptedList
from flightcore.offboard.pilot import Form
from flightcore.options import DEFAULT_OPTIONS, Options
from flightcore.policy import RADIO_LIMITS, WIFI_LIMITS, Policy
from flightcore.port_scan import AUTO
from flightcore.signing import SigningFloor, SigningKeys
from wire.aio.alarm import Alarm, monotonic_ns
from wire.aio.disk import Disk
from wire.aio.serial_line import SerialLine
from wire.aio.serial_link import SerialLink, line_rate
from wire.locality import RADIO, Address, NotAllowedError, parse_local
from wire.mavlink import dialect
from wire.summary import merge_drops

_log = logging.getLogger(__name__)

# A deadline may be late on a busy machine; later than this, something no longer runs.
_OVERDUE_NS: Final = 1_000_000_000
_AUTHORITY = "authority"


class CompanionService:
    """Run one companion until closed."""

    def __init__(
        self,
        config: DroneConfig,
        store: Store,
        pairs: Sequence[PairRecord],
        boot_count: int,
        policy: Policy,
    ) -> None:
        self._store = store
        self._disk = Disk((OSError, StoreError))
        self._companion = Companion(
            pairs,
            boot_count,
            os.urandom,
            load_authority(store),
            _options(config, policy),
            store.load_authority(),
            store.load_revocations(),
            load_signing(store, time.time_ns(), monotonic_ns()),
        )
        self._link = LinkPort(parse_local(config.link.udp.bind), self._from_link, self._heard)
        self._bind = config.link.udp.bind
        if not config.link.udp.wait_for_address and not self._link.has_address():
            self._link.close()
            allowed = "an address of this machine; one still to come: wait_for_address = true"
            raise NotAllowedError("link.udp.bind", self._bind, allowed)
        self._port = self._autopilot_port(config)
        radio = config.link.radio
        self._radio = (
            None
            if radio is None
            else SerialLink("link.radio.device", radio.device, radio.baud, self._radioed)
        )
        self._alarm = Alarm(self._settle)
        self._control = LoopPort(self._companion.watch.offboard, self._steered)
        self._recorder = open_recorder(
            config, store, Device(pairs[0].drone_id, boot_count), self._tell, self._announce
        )
        self._companion.watch.prearm.recorder_is(self._recorder.hindrance())

    def _autopilot_port(self, config: DroneConfig) -> Port:
        where, radio = config.autopilot, config.link.radio
        if where.device.startswith(UDP_DEVICE):
            return UdpPort(parse_local(where.device.removeprefix(UDP_DEVICE)), self._from_line)
        if where.device == AUTO or where.baud == AUTO:
            used = [] if radio is None else [radio.device]
            autopilot = self._companion.autopilot
            return AutoLine(
                where,
                lambda: candidates(*used),
                self._from_line,
                self._line_lost,
                lambda: autopilot.is_heard(monotonic_ns()),
            )
        return SerialLine(
            "autopilot.device", where.device, where.baud, self._from_line, self._line_lost
        )

    def start(self) -> None:
        """Open the line and the link."""
        self._port.start()
        if self._radio is not None:
            self._radio.start()
        self._link.start()
        if not self._link.has_address():
            _log.warning("link.udp.bind = %r: no interface has it yet; waiting for it", self._bind)
        self._companion.start(monotonic_ns())
        self._pump(monotonic_ns())

    def close(self) -> None:
        """Stop at once, once what must survive is on disk."""
        self._alarm.cancel()
        self._control.close()
        if self._radio is not None:
            self._radio.close()
        self._link.close()
        self._port.close()
        self._companion.stop(monotonic_ns())
        self._record()
        self._recorder.close()
        self._disk.close()

    def reload_revocations(self) -> None:
        """Heed what `sekisho revoke trust` and `apply` have put into the state directory."""
        now_ns = monotonic_ns()
        self._companion.custody.revoked_on_disk(
            self._store.load_authority(), self._store.load_revocations(), now_ns
        )
        self._pump(now_ns)

    def write_parameter(self, name: str, value: float) -> str | None:
        """Begin to write a required parameter of the disarmed autopilot; return why not."""
        now_ns = monotonic_ns()
        refusal = self._companion.watch.parameters.write(name, value, now_ns)
        self._pump(now_ns)
        return refusal

    def stuck(self) -> str | None:
        """Return what no longer runs, None while all is well; that the loop runs, asking shows.

        A disk that does not answer is no such thing: nothing in flight waits for it.
        """
        deadline_ns = self._companion.deadline_ns()
        if deadline_ns is not None and deadline_ns < monotonic_ns() - _OVERDUE_NS:
            return "a deadline of the companion is overdue"
        if not self._port.is_scheduled:
            return "nothing reads the autopilot's line, and nothing tries to open it"
        return None

    def summary(self) -> str:
        """Say in one line how things stand."""
        companion, now_ns = self._companion, monotonic_ns()
        live = sum(station.peer.live is not None for station in companion.stations.values())
        heard = companion.autopilot.is_heard(now_ns)
        link = "link" if self._link.has_address() else f"waiting for the address {self._bind}"
        return (
            f"autopilot {companion.autopilot.state.value if heard else 'silent'}; {link}; "
            f"{live} of {len(companion.stations)} stations live; "
            f"in command: {companion.link.holder or 'nobody'}"
        )

    def status(self) -> CompanionStatus:
        """Describe everything that is counted."""
        status = self._companion.status(monotonic_ns())
        status.autopilot.update(self._port.describe())
        status.autopilot["line"] = "open" if self._port.is_open else "absent"
        status.autopilot["unsent_bytes"] = self._port.unsent_dropped
        if self._radio is not None:
            status.radio = self._radio.describe()
        status.link.dropped = merge_drops(status.link.dropped, self._link.dropped)
        status.address = "present" if self._link.has_address() else "absent"
        status.recorder = self._recorder.status()
        status.control_loop = self._control.status()
        return status

    def _from_line(self, data: bytes) -> None:
        now_ns = monotonic_ns()
        self._companion.receive_line(data, now_ns)
        self._pump(now_ns)

    def _line_lost(self) -> None:
        self._companion.line_lost()

    def _from_link(self, datagram: bytes, path: Address) -> None:
        if self._companion.receive_link(datagram, path, monotonic_ns()):
            self._send()

    def _heard(self) -> None:
        self._link.follow(self._companion.live_addresses())
        self._pump(monotonic_ns())

    def _settle(self) -> None:
        self._pump(monotonic_ns())

    def _steered(self) -> None:
        now_ns = monotonic_ns()
        self._companion.settle(now_ns)
        self._pump(now_ns)

    def _radioed(self, datagram: bytes) -> None:
        now_ns = monotonic_ns()
        self._companion.receive_link(datagram, RADIO, now_ns)
        self._pump(now_ns)

    def _pump(self, now_ns: int) -> None:
        self._send()
        deadline_ns = self._companion.deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            self._companion.tick(now_ns)
            self._send()
            deadline_ns = self._companion.deadline_ns()
        self._alarm.set(deadline_ns, now_ns)

    def _tell(self, text: str) -> None:
        now_ns = monotonic_ns()
        self._companion.tell(dialect.MAV_SEVERITY_WARNING, text, now_ns)
        self._companion.watch.prearm.recorder_is(self._recorder.hindrance())
        self._pump(now_ns)

    def _announce(self, head: bytes) -> None:
        """Let handshakes tell the ground how far the recording has come."""
        self._companion.link.log_head = head

    def _record(self) -> None:
        for item in self._companion.recorder.outgoing():
            self._recorder.put(item)
        lines = self._companion.trail.outgoing()
        if lines:
            self._recorder.put(Lines(lines))

    def _send(self) -> None:
        self._record()
        for item in self._companion.outgoing_saves():
            self._save(item)
        for note in self._companion.outgoing_notes():
            _log.info("%s", note)
        to_line = self._companion.outgoing_line()
        if to_line:
            self._port.write(to_line)
        for datagram, path in self._companion.outgoing_link():
            if path == RADIO:
                if self._radio is not None:
                    self._radio.write(datagram)
                continue
            self._link.send(datagram, path)
        self._control.settle()

    def _save(self, item: Save) -> None:
        def done(is_saved: bool) -> None:  # noqa: FBT001 - the disk's answer
            now_ns = monotonic_ns()
            if is_saved:
                self._companion.saved(item, now_ns)
            else:
                self._companion.save_failed(item, now_ns)
            self._pump(now_ns)

        self._disk.write(lambda: save(self._store, item), done)


def save(store: Store, item: Save) -> None:
    """Write what the companion must find again after a restart."""
    if isinstance(item, AuthorityState):
        store.save_state(_AUTHORITY, msgspec.json.encode(item))
    elif isinstance(item, AcceptedList):
        # Refused now only if a newer one has been applied here meanwhile.
        with contextlib.suppress(RefusedListError):
            store.accept_revocations(item.signed)
    elif isinstance(item, SigningFloor):
        save_floor(store, item)
    elif isinstance(item, SigningKeys):
        save_keys(store, item)
    else:
        store.update_pair(item)


def load_authority(store: Store) -> AuthorityState:
    """Read who commands; nobody on a drone that has never flown.

    Raises:
        StoreError: The file is damaged.
    """
    data = store.load_state(_AUTHORITY)
    if data is None:
        return AuthorityState()
    try:
        return msgspec.json.decode(data, type=AuthorityState)
    except (msgspec.DecodeError, ValueError) as error:
        path = store.directory / f"{_AUTHORITY}.state"
        raise StoreError(
            f"{path}: damaged ({error}); remove it: the first commander then takes command"
        ) from error


def _options(config: DroneConfig, policy: Policy) -> Options:
    link, radio, failsafe = config.link, config.link.radio, config.failsafe
    rate = None if radio is None else radio.rate or line_rate(radio.baud)
    return Options(
        udp_limits=link.udp.max_age.limits(WIFI_LIMITS, failsafe.link_lost_s),
        radio_limits=(MaxAge() if radio is None else radio.max_age).limits(
            RADIO_LIMITS, failsafe.radio_lost_s
        ),
        radio_rate=rate or DEFAULT_OPTIONS.radio_rate,
        pads_downlink=link.pad_telemetry,
        dual_control=config.policy.dual_control,
        asks_rates=config.autopilot.rates is RateWish.REQUEST,
        policy=policy,
        record=config.recorder.when,
        prearm=config.prearm_options,
        purges=config.recorder.purge_after_landing,
        ability=config.flight.ability,
        setpoints=Form[config.flight.setpoints.name],
    )
