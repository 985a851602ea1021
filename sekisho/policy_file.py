"""Load the policy that a `drone.toml` puts in force; an override only if it has been reviewed."""

from pathlib import Path

import flightcore.config
from flightcore.policy import BUILT_IN, Policy
from flightcore.policy.override import (
    PolicyFile,
    check,
    differences,
    fingerprint,
    overridden,
)
from sekisho.config_file import ConfigError, load


def load_policy(path: Path, config: flightcore.config.DroneConfig) -> Policy:
    """Return the policy in force for the `drone.toml` at `path`.

    Raises:
        ConfigError: The override cannot be used, or its difference has not been accepted.
    """
    name, accepted = config.policy.file, config.policy.accept
    if name is None:
        return BUILT_IN
    where = path.parent / name
    table = overridden(BUILT_IN.table, check(load(where, PolicyFile, _check), BUILT_IN.table))
    mark = fingerprint(BUILT_IN.table, table)
    if accepted != mark:
        changes = "\n".join(f"  {line}" for line in differences(BUILT_IN.table, table))
        raise ConfigError(
            f"{path}: policy.accept = {accepted!r}; allowed: {mark!r}, the fingerprint of what "
            f"{where} changes in this version:\n{changes or '  nothing'}\n"
            f'if that is wanted, write accept = "{mark}" under [policy]'
        )
    return Policy(table, mark)


def _check(file: PolicyFile) -> None:
    check(file, BUILT_IN.table)
