"""The mission protocol, from the vehicle's side: upload, download, clear. One per item type.

An upload is driven by the vehicle: it asks for each item, asks again after a second, and gives up
after eight seconds of silence. Items that arrive are stored at once, as ArduPilot does, so an
upload that breaks off leaves a shorter mission.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pymavlink.dialects.v20 import ardupilotmega as dialect

from sim.autopilot.mission import Item, item_of
from sim.autopilot.outbox import Outbox, Severity

ITEMS_MAX: Final = 724
_ASK_AGAIN_NS: Final = 1_000_000_000
_GIVE_UP_NS: Final = 8_000_000_000


@dataclass(slots=True)
class Upload:
    """An upload under way: from whom, which item is asked for, and the last one wanted."""

    sysid: int
    compid: int
    asked: int
    last: int
    asked_ns: int
    heard_ns: int


class MissionTransfer:
    """Transfers of one MAV_MISSION_TYPE. The zero state is idle.

    `items` is the store; `changed` is called after a complete upload or a clear.
    """

    def __init__(
        self,
        kind: int,
        items: list[Item],
        outbox: Outbox,
        changed: Callable[[str | None], None],
    ) -> None:
        self.items = items
        self._kind = kind
        self._outbox = outbox
        self._changed = changed
        self._upload: Upload | None = None
        self._warned = False

    def count(self, message: dialect.MAVLink_message, now_ns: int) -> None:
        """Begin an upload of this many items."""
        if not self._drop_upload(message):
            return
        if message.count > ITEMS_MAX:
            self._ack(message, dialect.MAV_MISSION_NO_SPACE)
            self._outbox.text(Severity.WARNING, f"Only {ITEMS_MAX} items are supported")
            return
        del self.items[message.count :]
        if message.count == 0:
            self._complete(message)
            return
        self._ask(message, 0, message.count - 1, now_ns)

    def write_partial(self, message: dialect.MAVLink_message, now_ns: int) -> None:
        """Begin to replace a range of items."""
        if self._upload is not None:
            self._ack(message, dialect.MAV_MISSION_DENIED)
            return
        first, last = message.start_index, message.end_index
        if not 0 <= first <= last <= len(self.items):
            self._outbox.text(Severity.WARNING, "Flight plan update rejected")
            self._ack(message, dialect.MAV_MISSION_ERROR)
            return
        self._ask(message, first, last, now_ns)

    def item(self, message: dialect.MAVLink_message, now_ns: int) -> None:
        """Take one item of an upload."""
        upload = self._upload
        if upload is None:
            self._ack(message, dialect.MAV_MISSION_ERROR)
            return
        if message.seq != upload.asked:
            self._ack(message, dialect.MAV_MISSION_INVALID_SEQUENCE)
            return
        if _sender(message) != (upload.sysid, upload.compid):
            self._ack(message, dialect.MAV_MISSION_DENIED)
            return
        result = self._parse(message)
        if isinstance(result, int):
            self._ack(message, result)
            self._upload = None
            return
        if message.seq < len(self.items):
            self.items[message.seq] = result
        else:
            self.items.append(result)
        upload.heard_ns = now_ns
        upload.asked += 1
        if upload.asked > upload.last:
            self._complete(message)
        else:
            self._request(now_ns)

    def request_list(self, message: dialect.MAVLink_message) -> None:
        """Answer how many items there are."""
        if self._upload is not None:
            self._ack(message, dialect.MAV_MISSION_DENIED)
            return
        self._send_count(message)

    def request(self, message: dialect.MAVLink_message, item: Item | None) -> None:
        """Answer with one item; `item` replaces the stored one (home moves)."""
        as_int = message.get_type() == "MISSION_REQUEST_INT"
        if self._upload is not None and as_int:
            self._ack(message, dialect.MAV_MISSION_DENIED)
            return
        if not 0 <= message.seq < len(self.items):
            if as_int:
                self._send_count(message)
            self._ack(message, dialect.MAV_MISSION_INVALID_SEQUENCE)
            return
        stored = item if item is not None else self.items[message.seq]
        if not as_int and not self._warned:
            self._warned = True
            self._outbox.text(Severity.WARNING, "got MISSION_REQUEST; use MISSION_REQUEST_INT!")
        self._outbox.send(_message_of(stored, message, self._kind, as_int=as_int))

    def clear(self, message: dialect.MAVLink_message) -> None:
        """Forget every item."""
        if not self._drop_upload(message):
            return
        self.items.clear()
        self._ack(message, dialect.MAV_MISSION_ACCEPTED)
        self._changed(None)

    @property
    def is_uploading(self) -> bool:
        """Tell whether an upload is under way."""
        return self._upload is not None

    def step(self, now_ns: int) -> None:
        """Ask again, or give up."""
        upload = self._upload
        if upload is None:
            return
        if now_ns - upload.heard_ns > _GIVE_UP_NS:
            self._upload = None
            self._outbox.text(Severity.WARNING, "Mission upload timeout")
            self._outbox.send(
                dialect.MAVLink_mission_ack_message(
                    upload.sysid,
                    upload.compid,
                    dialect.MAV_MISSION_OPERATION_CANCELLED,
                    self._kind,
                )
            )
        elif now_ns - upload.asked_ns > _ASK_AGAIN_NS:
            self._request(now_ns)

    def _parse(self, message: dialect.MAVLink_message) -> Item | int:
        if self._kind == dialect.MAV_MISSION_TYPE_MISSION:
            return item_of(message)
        params = (message.param1, message.param2, message.param3, message.param4)
        scale = 1e7 if message.get_type() == "MISSION_ITEM" else 1
        return Item(
            message.command,
            message.frame,
            *params,
            round(message.x * scale),
            round(message.y * scale),
            message.z,
        )

    def _ask(self, message: dialect.MAVLink_message, first: int, last: int, now_ns: int) -> None:
        self._upload = Upload(*_sender(message), first, last, now_ns, now_ns)
        self._request(now_ns)

    def _request(self, now_ns: int) -> None:
        upload = self._upload
        assert upload is not None
        upload.asked_ns = now_ns
        # MISSION_REQUEST, not _INT, though _INT items are wanted: ArduPilot's habit.
        self._outbox.send(
            dialect.MAVLink_mission_request_message(
                upload.sysid, upload.compid, upload.asked, self._kind
            )
        )

    def _complete(self, message: dialect.MAVLink_message) -> None:
        self._upload = None
        self._ack(message, dialect.MAV_MISSION_ACCEPTED)
        names = {
            dialect.MAV_MISSION_TYPE_MISSION: "Flight plan received",
            dialect.MAV_MISSION_TYPE_FENCE: "Fence received",
            dialect.MAV_MISSION_TYPE_RALLY: "Rally points received",
        }
        self._changed(names[self._kind])

    def _drop_upload(self, message: dialect.MAVLink_message) -> bool:
        """End an upload if it is this sender's; refuse another sender."""
        upload = self._upload
        if upload is not None and _sender(message) != (upload.sysid, upload.compid):
            self._ack(message, dialect.MAV_MISSION_DENIED)
            return False
        self._upload = None
        return True

    def _send_count(self, message: dialect.MAVLink_message) -> None:
        self._outbox.send(
            dialect.MAVLink_mission_count_message(*_sender(message), len(self.items), self._kind)
        )

    def _ack(self, message: dialect.MAVLink_message, result: int) -> None:
        self._outbox.send(
            dialect.MAVLink_mission_ack_message(*_sender(message), result, self._kind)
        )


def _sender(message: dialect.MAVLink_message) -> tuple[int, int]:
    return message.get_srcSystem(), message.get_srcComponent()


def _message_of(
    item: Item, request: dialect.MAVLink_message, kind: int, *, as_int: bool
) -> dialect.MAVLink_message:
    head = (*_sender(request), request.seq, item.frame, item.command, 0, 1)
    params = (item.param1, item.param2, item.param3, item.param4)
    if as_int:
        return dialect.MAVLink_mission_item_int_message(
            *head, *params, item.x, item.y, item.z, kind
        )
    return dialect.MAVLink_mission_item_message(
        *head, *params, item.x * 1e-7, item.y * 1e-7, item.z, kind
    )
