"""A hostile link: everything between ground and drone passes here, and some of it again.

The channel owns no key and knows no format: it does to datagrams what anybody on the air can do.
"""

from collections.abc import Callable
from typing import Final

REMEMBERED: Final = 4096

RandomBelow = Callable[[int], int]  # a number from 0 up to but not including the argument


class HostileChannel:
    """Remember what passes and make attacks of it. The zero state passes everything on.

    Args:
        random_below: The source of every choice, so that an attack can be repeated.
    """

    def __init__(self, random_below: RandomBelow) -> None:
        self._random_below = random_below
        self._heard: list[bytes] = []
        self._held: list[bytes] | None = None

    def pass_up(self, datagram: bytes) -> list[bytes]:
        """Take a genuine datagram on its way to the drone; return what goes on now."""
        self._heard = [*self._heard[-REMEMBERED + 1 :], datagram]
        if self._held is not None:
            self._held.append(datagram)
            return []
        return [datagram]

    def hold(self) -> None:
        """Keep back everything on its way to the drone from now on."""
        self._held = []

    def release(self) -> list[bytes]:
        """Return what was kept back, in its order, and keep nothing back any more."""
        held, self._held = self._held or [], None
        return held

    def replayed(self, count: int) -> list[bytes]:
        """Return genuine datagrams of this session again, any of them, in any order."""
        heard = self._heard
        return [heard[self._random_below(len(heard))] for _ in range(count if heard else 0)]

    def tampered(self, count: int) -> list[bytes]:
        """Return copies of genuine datagrams with one to three bits flipped, or cut short."""
        return [self._tamper(self._heard[self._random_below(len(self._heard))])
                for _ in range(count if self._heard else 0)]  # fmt: skip

    def injected(self, count: int, plain: list[bytes]) -> list[bytes]:
        """Return what a stranger may send: plain MAVLink, random bytes, forged headers."""
        out = []
        for index in range(count):
            if index % 3 == 0:
                out.append(plain[index // 3 % len(plain)])
            else:
                size = 21 + self._random_below(80)
                noise = bytes(self._random_below(256) for _ in range(size))
                first = noise[:1] if index % 3 == 1 else bytes((0x80 | noise[0] & 0x3F,))
                out.append(first + noise[1:])
        return out

    def _tamper(self, datagram: bytes) -> bytes:
        if self._random_below(8) == 0:
            return datagram[: self._random_below(len(datagram))]
        out = bytearray(datagram)
        for _ in range(1 + 2 * self._random_below(2)):
            bit = self._random_below(len(out) * 8)
            out[bit // 8] ^= 1 << bit % 8
        return bytes(out)
