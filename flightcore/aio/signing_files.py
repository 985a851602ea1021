"""What signing on the autopilot's line keeps in the state directory: its key, and a time."""

import logging
import os
from typing import Final

import msgspec

from crypto.aio.files import StoreError, remove_private
from crypto.aio.store import Store
from flightcore.signing import Signing, SigningFloor, SigningKeys, first_timestamp

_log = logging.getLogger(__name__)

_FLOOR: Final = "signing"
_AGAIN: Final = "sign anew: `sekisho signing setup`, over the autopilot's USB port"


def load_signing(store: Store, unix_ns: int, now_ns: int) -> Signing:
    """Return signing as it goes on after a restart; off if nothing was ever set up.

    Where it begins is on disk when this returns, so that no later start begins there again.

    Raises:
        StoreError: A file is damaged.
    """
    keys = load_keys(store)
    if keys is None:
        return Signing(None, 1, now_ns)
    first = first_timestamp(load_floor(store), unix_ns)
    try:
        save_floor(store, SigningFloor(timestamp=first))
    except OSError as error:
        # A disk that takes no writes must not end a flight.
        _log.error("%s: signing time cannot be written (%s)", store.directory, error.strerror)
    return Signing(keys, first, now_ns)


def load_keys(store: Store) -> SigningKeys | None:
    """Return the keys of the autopilot's line, None if it is not signed.

    Raises:
        StoreError: The file is damaged.
    """
    file = store.secrets.autopilot
    if not os.path.lexists(file.path):
        return None
    data = store.secrets.read(file)
    try:
        return msgspec.json.decode(data, type=SigningKeys)
    except (msgspec.DecodeError, ValueError):
        # The cause is not shown: it could quote the file.
        raise StoreError(f"{file.path}: damaged; remove it and {_AGAIN}") from None


def save_keys(store: Store, keys: SigningKeys) -> None:
    """Write the keys of the autopilot's line, sealed if this directory has a vault."""
    store.secrets.write(store.secrets.autopilot, msgspec.json.encode(keys))


def forget_keys(store: Store) -> None:
    """Delete the keys of the autopilot's line: it is not signed any more."""
    if os.path.lexists(store.secrets.autopilot.path):
        remove_private(store.secrets.autopilot.path)


def load_floor(store: Store) -> SigningFloor | None:
    """Return the signing time that had been reached, None if there never was any.

    Raises:
        StoreError: The file is damaged.
    """
    data = store.load_state(_FLOOR)
    try:
        return None if data is None else msgspec.json.decode(data, type=SigningFloor)
    except (msgspec.DecodeError, ValueError) as error:
        path = store.directory / f"{_FLOOR}.state"
        raise StoreError(f"{path}: damaged ({error}); remove it and {_AGAIN}") from None


def save_floor(store: Store, floor: SigningFloor) -> None:
    """Write the signing time that has been reached."""
    store.save_state(_FLOOR, msgspec.json.encode(floor))
