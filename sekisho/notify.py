"""Tell the service manager how this service is: a datagram to $NOTIFY_SOCKET, as sd_notify does."""

import os
import socket
from typing import Final

_MICROSECONDS: Final = 1e6


class ServiceManager:
    """Whoever started this service, if it listens. Its variables are taken out of the environment.

    A child of ours, if there ever is one, does not speak for us.
    """

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        usec = os.environ.pop("WATCHDOG_USEC", "")
        pid = os.environ.pop("WATCHDOG_PID", "")
        is_ours = pid in ("", str(os.getpid()))
        # Within this time it wants to hear that all is well; None if it does not wait for that.
        self.patience_s = int(usec) / _MICROSECONDS if usec.isdecimal() and is_ours else None
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @property
    def listens(self) -> bool:
        """Whether there is anyone to tell."""
        return bool(self._address)

    def tell(self, *assignments: str) -> bool:
        """Send assignments such as ``READY=1``; return whether they are on their way."""
        if not self._address:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)  # a full queue must not hold up the link
            try:
                sender.sendto("\n".join(assignments).encode(), self._address)
            except OSError:
                return False
        return True
