"""Which addresses the stack may use: named, literal and local, so that nothing leaves the site."""

import ipaddress
from collections.abc import Callable
from typing import Final

Address = tuple[str, int]

# Ways that have no address: a serial radio, and the one drone a socket is connected to.
RADIO: Final[Address] = ("radio", 0)
UDP: Final[Address] = ("udp", 0)


class NotAllowedError(ValueError):
    """A configured value that is well-typed but not allowed; `key` is its path within the file."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key} = {value!r}; allowed: {allowed}")


def check_address(key: str, text: str, parse: Callable[[str], Address]) -> Address:
    """Parse a configured address with one of the functions below.

    Raises:
        NotAllowedError: It is not such an address.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise NotAllowedError(key, text, str(error)) from None


def parse_address(text: str) -> Address:
    """Parse ``HOST:PORT`` with a literal IPv4 address.

    Raises:
        ValueError: It is not of that form; the text says what is allowed.
    """
    host, separator, port = text.rpartition(":")
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        address = None
    if not separator or address is None or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("a literal IPv4 address and a port from 1 to 65535, as 192.168.50.1:14610")
    return str(address), int(port)


def parse_local(text: str) -> Address:
    """Parse an address of the local link: loopback, private or link-local, never a wildcard.

    Raises:
        ValueError: It is not such an address.
    """
    host, port = parse_address(text)
    address = ipaddress.IPv4Address(host)
    is_local = address.is_loopback or address.is_private or address.is_link_local
    if not is_local or address.is_unspecified or address.is_multicast or address.is_reserved:
        raise ValueError(
            "a named address of the local link (10/8, 172.16/12, 192.168/16, 169.254/16, 127/8), "
            "never 0.0.0.0 and never a public one"
        )
    return host, port


def parse_loopback(text: str) -> Address:
    """Parse an address of this machine only.

    Raises:
        ValueError: It is not a loopback address.
    """
    host, port = parse_address(text)
    if not ipaddress.IPv4Address(host).is_loopback:
        raise ValueError(
            "a loopback address, as 127.0.0.1:14550: plain MAVLink stays on this machine"
        )
    return host, port
