"""The status tree as Prometheus text, served on loopback to a collector on this machine.

The tree is what `sekisho status` prints, so that whatever is counted anywhere is here too. A
library would keep a second set of counters, and the format is two kinds of line.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final, NamedTuple

from wire.locality import Address, NotAllowedError

# Tables whose keys are names of things, and what such a thing is called.
_LABELS: Final = {"peers": "peer", "dropped": "reason"}
# What only ever grows, besides drops.
_GROWS: Final = re.compile(
    r"frames|handshakes|exceptions|\w+_bytes|(frames|datagrams|bytes)_(up|down)"
)
_REQUEST_S: Final = 2.0
_REQUEST_BYTES: Final = 4096
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One figure: a metric's name, its labels, its value."""

    name: str
    labels: Labels
    value: float


def exposition(prefix: str, tree: Mapping[str, object]) -> str:
    """Return a status tree as Prometheus text, the samples of each metric together."""
    metrics: dict[str, list[Sample]] = {}
    for sample in _samples(prefix, (), "", tree, is_drop=False):
        metrics.setdefault(sample.name, []).append(sample)
    lines = []
    for name, members in metrics.items():
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines += [f"{name}{_shown(sample.labels)} {sample.value!r}" for sample in members]
    return "\n".join([*lines, ""])


def _samples(
    name: str, labels: Labels, key: str, item: object, *, is_drop: bool
) -> Iterator[Sample]:
    """Yield the figures below one item of the tree; a word becomes the label `value` of a 1."""
    match item:
        case dict() if key in _LABELS:
            for member, value in item.items():
                marks = (*labels, (_LABELS[key], member))
                yield from _samples(name, marks, "", value, is_drop=key == "dropped")
        case dict():
            for inner, value in item.items():
                path = f"{name}_{re.sub('[^a-zA-Z0-9]', '_', inner)}"
                yield from _samples(path, labels, inner, value, is_drop=False)
        case bool() | int() | float():
            grows = is_drop or _GROWS.fullmatch(key) is not None
            yield Sample(f"{name}_total" if grows else name, labels, item + 0)
        case str():
            yield Sample(name, (*labels, ("value", item)), 1)
        case _:
            pass  # not known yet: no figure


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return "{" + ",".join(f'{name}="{value.translate(escapes)}"' for name, value in labels) + "}"


@contextlib.asynccontextmanager
async def serving(
    address: Address | None, prefix: str, tree: Callable[[], Mapping[str, object]]
) -> AsyncIterator[None]:
    """Answer ``GET /metrics`` at a loopback address meanwhile; at None, nothing is served.

    Raises:
        NotAllowedError: Someone else has the address.
    """
    if address is None:
        yield
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ValueError, EOFError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_S)
            is_known = re.match(rb"GET /metrics HTTP/1\.[01]\r\n", head) is not None
            body = exposition(prefix, tree()) if is_known else "only GET /metrics is served here\n"
            writer.write(_response(body, is_known=is_known))
            await asyncio.wait_for(writer.drain(), _REQUEST_S)
        writer.close()

    try:
        server = await asyncio.start_server(serve, *address, limit=_REQUEST_BYTES)
    except OSError as error:
        allowed = f"a loopback address whose port is free ({error.strerror})"
        shown = f"{address[0]}:{address[1]}"
        raise NotAllowedError("service.metrics", shown, allowed) from None
    try:
        yield
    finally:
        server.close()


def _response(body: str, *, is_known: bool) -> bytes:
    content = body.encode()
    lines = (
        f"HTTP/1.1 {'200 OK' if is_known else '404 Not Found'}",
        f"Content-Type: {_TEXT}",
        f"Content-Length: {len(content)}",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode() + content
