"""What `sekisho status` shows of a companion."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from crypto.responder import Responder
from crypto.sessions import Path
from flightcore.authority import Authority
from flightcore.autopilot import Autopilot
from flightcore.monitor.gnss import Status
from flightcore.paired import PairedGround
from flightcore.prearm import PrearmStatus
from wire.authority import NOBODY
from wire.locality import RADIO
from wire.summary import LinkSummary, merge_drops


class PeerStatus(msgspec.Struct):
    """One paired ground station for `sekisho status`."""

    role: str
    state: str
    heard_s: float | None
    address: str | None
    suite: str
    psk_generation: int
    link: LinkSummary


class CompanionStatus(msgspec.Struct):
    """The companion for `sekisho status`; `link` adds up all peers and what no peer sent."""

    link: LinkSummary
    peers: dict[str, PeerStatus]
    authority: dict[str, str | int | bool | None]
    autopilot: dict[str, str | int | float | dict[str, int] | dict[str, float] | None]
    recorder: dict[str, str | int | None]
    failsafe: dict[str, str | float | bool | None] = {}
    prearm: PrearmStatus | None = None
    monitor: Status | None = None
    policy_override: str | None = None
    revocation_serial: int = 0
    flight: dict[str, str | int | float | None] = {}
    control_loop: object = None
    radio: dict[str, str | int] = {}
    address: str = "present"


def describe(
    stations: Mapping[str, PairedGround],
    responder: Responder,
    authority: Authority,
    autopilot: Autopilot,
    dropped: Counter[str],
    now_ns: int,
) -> CompanionStatus:
    """Describe everything that is counted."""
    peers = {name: _peer_status(station, now_ns) for name, station in stations.items()}
    line_drops = autopilot.all_dropped()
    noise = {f"autopilot_{reason}": count for reason, count in line_drops.items()}
    total = LinkSummary.total([peer.link for peer in peers.values()])
    total.dropped = merge_drops(total.dropped, responder.dropped, dropped, noise)
    state = authority.state
    return CompanionStatus(
        link=total,
        peers=peers,
        authority={
            "holder": responder.holder,
            "holder_id": None if state.holder == NOBODY else state.holder.hex(),
            "epoch": state.epoch,
            "lost": authority.is_holder_lost(now_ns),
        },
        autopilot={
            "state": autopilot.state.value if autopilot.is_heard(now_ns) else "silent",
            "sysid": autopilot.sysid,
            "mode": autopilot.custom_mode,
            "frames": autopilot.frames,
            "dropped": line_drops,
            "signing": autopilot.signing.state.value,
            "signed": autopilot.signing.verified,
            "unverified": autopilot.signing.unverified,
        },
        recorder={"state": "absent"},
    )


def _peer_status(station: PairedGround, now_ns: int) -> PeerStatus:
    peer, heard_ns = station.peer, station.heard_ns
    link = station.summary
    link.frames_up = station.uplink.forwarded
    link.dropped = merge_drops(station.uplink.dropped)
    link.handshakes = peer.adopted
    link.generation = 0 if peer.live is None else peer.live.number
    return PeerStatus(
        role=peer.role.value,
        state="live" if peer.live is not None else "none",
        heard_s=None if heard_ns is None else (now_ns - heard_ns) / 1e9,
        address=_shown(peer.path),
        suite=peer.record.profile.name,
        psk_generation=peer.record.psk_generation,
        link=link,
    )


def _shown(path: Path | None) -> str | None:
    if path is None:
        return None
    return path[0] if path == RADIO else f"{path[0]}:{path[1]}"
