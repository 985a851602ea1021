"""What has changed on a drone's screen, as the pages get it."""

from typing import Any

from groundstation.screen.vehicle import VehicleScreen


def changes_since(screen: VehicleScreen, cursor: int) -> dict[str, Any]:
    """Return the groups and messages younger than `cursor`, which is a `version`."""
    changes: dict[str, Any] = {}
    groups = screen.since(cursor)
    if groups:
        changes["groups"] = {
            name: (page_ms(seen_ns), *values) for name, (seen_ns, values) in groups.items()
        }
    texts = [
        (message.number, page_ms(message.seen_ns), message.severity, message.text)
        for message in screen.messages
        if message.version > cursor
    ]
    if texts:
        changes["messages"] = texts
    return changes


def page_ms(time_ns: int | None) -> int | None:
    """Return a time as the pages get it: whole milliseconds of the gateway's monotonic clock."""
    return None if time_ns is None else time_ns // 1_000_000
