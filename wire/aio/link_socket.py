"""The sockets of the link over UDP: what a router has touched is not heard (GTSM, RFC 5082).

We send with the highest TTL there is, and every router takes one off. A sender beyond a router can
choose any TTL, but not make it arrive with 255. Over loopback the kernel is the judge: it discards
what claims to come from 127/8 and came from outside.
"""

import socket
import sys
from typing import Final

from wire.locality import Address

MAX_DATAGRAM_BYTES: Final = 2048
RECEIVE_BUFFER_BYTES: Final = 1 << 22
_LOCAL_TTL: Final = 255
_IP_RECVTTL: Final = 12  # linux/in.h; Python 3.11 has no name for it
_LOCAL: Final = [(socket.IPPROTO_IP, socket.IP_TTL, _LOCAL_TTL.to_bytes(4, sys.byteorder))]
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(4)
_LOOPBACK: Final = "127."


def link_socket(receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES) -> socket.socket:
    """Return a socket that does not wait, and whose datagrams arrive as they must."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _LOCAL_TTL)
    made.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
    return made


def receive(link: socket.socket) -> tuple[bytes, Address, bool]:
    """Return a datagram, where it came from, and whether it came from this site.

    Raises:
        OSError: None waits, or an earlier one met an error on its way.
    """
    datagram, ancillary, _, sender = link.recvmsg(MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES)
    return datagram, sender, ancillary == _LOCAL or sender[0].startswith(_LOOPBACK)
