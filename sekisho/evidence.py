"""What a command leaves in the audit log of the device that it runs on."""

import logging
import os
import time

from crypto.aio.files import StoreError
from crypto.aio.log_files import LogFault, LogFile, LogOrigin, SyncPolicy
from crypto.aio.log_keys import PUBLIC_KEY_NAME, load_log_public, load_or_create_log_signer
from crypto.aio.store import Store
from crypto.sealed_log import LogContent
from flightcore.aio.recorder import AUDIT
from wire.trail import Event, Trail, encode_lines

_log = logging.getLogger(__name__)


def keep(store: Store, event: Event) -> None:
    """Seal one event into a file of its own; a device without a key to seal to keeps none.

    What hinders it is said, and hinders nothing else.
    """
    public = store.directory / PUBLIC_KEY_NAME
    if not public.exists():
        return
    trail = Trail()
    trail.add(event, time.time_ns())
    try:
        origin = LogOrigin(
            load_log_public(public),
            load_or_create_log_signer(store.secrets, os.urandom),
            store.load_or_create_identity(os.urandom).device_id,
            0,
        )
        directory = store.directory / "logs" / AUDIT
        log = LogFile.create(directory, LogContent.EVENTS, origin, SyncPolicy(1, 0), os.urandom)
        if not isinstance(log, LogFault):
            log.append(encode_lines(trail.outgoing(), 0), 0)
        fault = log if isinstance(log, LogFault) else log.close()
    except (OSError, StoreError) as error:
        _log.warning("not in the audit log: %s", error)
        return
    if fault is not None:
        _log.warning("not in the audit log: %s", fault)
