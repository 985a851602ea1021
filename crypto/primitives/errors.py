"""The one error of the primitives, and what all of them share."""

from collections.abc import Callable
from typing import Final

KEY_BYTES: Final = 32

RandomBytes = Callable[[int], bytes]


class AuthenticationError(Exception):
    """The tag, point, key or padding is not what the key holder would have made."""
