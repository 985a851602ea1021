"""What both ends report of a link, in the names that `cli.md`'s JSON summaries promise."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec


class LinkSummary(msgspec.Struct):
    """Totals of one link since the service started; `down` is drone to ground."""

    frames_down: int = 0
    frames_up: int = 0
    datagrams_down: int = 0
    datagrams_up: int = 0
    bytes_down: int = 0
    bytes_up: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    handshakes: int = 0
    generation: int = 0

    @classmethod
    def total(cls, links: Sequence["LinkSummary"]) -> "LinkSummary":
        """Add up several links; the generation is the highest."""
        return cls(
            frames_down=sum(link.frames_down for link in links),
            frames_up=sum(link.frames_up for link in links),
            datagrams_down=sum(link.datagrams_down for link in links),
            datagrams_up=sum(link.datagrams_up for link in links),
            bytes_down=sum(link.bytes_down for link in links),
            bytes_up=sum(link.bytes_up for link in links),
            dropped=merge_drops(*(link.dropped for link in links)),
            handshakes=sum(link.handshakes for link in links),
            generation=max((link.generation for link in links), default=0),
        )


def merge_drops(*counters: Mapping[str, int]) -> dict[str, int]:
    """Add counters of drops by reason, leaving out the reasons that never occurred."""
    total: Counter[str] = Counter()
    for counter in counters:
        total.update({str(reason): count for reason, count in counter.items() if count})
    return dict(sorted(total.items()))
