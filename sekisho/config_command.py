"""`sekisho config`: check a configuration, or show what is in force: defaults, policy."""

import argparse
import tomllib
from pathlib import Path
from typing import Final

import msgspec

import flightcore.config
import groundstation.config
from flightcore.policy import BUILT_IN, Policy
from flightcore.policy.document import data, listing
from flightcore.policy.override import differences
from sekisho.config_file import ConfigError
from sekisho.policy_file import load_policy
from sekisho.services import load_drone_config, load_ground_config

_Config = flightcore.config.DroneConfig | groundstation.config.GroundConfig
_NEEDS: Final = "give --config FILE, --policy, or both"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `config`."""
    parser = subparsers.add_parser(
        "config",
        help="check a configuration, or show it with its defaults and the policy in force",
        description="Check drone.toml or ground.toml without starting anything, or show what is "
        "in force: every value with its default, and for a drone the policy of what may reach "
        "the autopilot.",
        epilog="example: sekisho config check --config drone.toml",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="exit 0 if it can be used, else 2 and why not",
        epilog="example: sekisho config check --config /etc/sekisho/drone.toml",
    )
    check.add_argument("--config", type=Path, required=True, metavar="FILE")
    check.set_defaults(run=run_check)
    show = actions.add_parser(
        "show",
        help="every value in force, and for a drone the policy",
        description="Show every value in force. For a drone also the policy, and how an override "
        "(`[policy] file`) changes what is built in.",
        epilog="examples: sekisho config show --config drone.toml --json; "
        "sekisho config show --policy",
    )
    show.add_argument("--config", type=Path, metavar="FILE", help="drone.toml or ground.toml")
    show.add_argument(
        "--policy", action="store_true", help="only the policy; built in, without --config"
    )
    show.add_argument("--json", action="store_true", help="one JSON object")
    show.set_defaults(run=run_show, usage_error=show.error)


def run_check(arguments: argparse.Namespace) -> int:
    """Say that a configuration can be used; errors are raised."""
    _, policy = _load(arguments.config)
    what = "ground.toml" if policy is None else "drone.toml"
    override = "" if policy is None or policy.fingerprint is None else ", with a policy override"
    print(f"{arguments.config}: a usable {what}{override}")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print what is in force."""
    if arguments.config is None and not arguments.policy:
        arguments.usage_error(_NEEDS)
    config: _Config | None = None
    policy: Policy | None = BUILT_IN
    if arguments.config is not None:
        config, policy = _load(arguments.config)
        if arguments.policy and policy is None:
            raise ConfigError(f"{arguments.config}: a ground station has no policy; the drone does")
    shown: dict[str, object] = {}
    if config is not None and not arguments.policy:
        shown["config"] = msgspec.to_builtins(config)
    if policy is not None:
        shown["policy"] = {
            "fingerprint": policy.fingerprint,
            "changes": differences(BUILT_IN.table, policy.table),
            **data(policy.table),
        }
    if arguments.json:
        print(msgspec.json.encode(shown).decode())
        return 0
    parts = []
    if config is not None and not arguments.policy:
        parts.append("\n".join(_values("", msgspec.to_builtins(config))))
    if policy is not None:
        parts.append("\n".join([*_override(policy), *listing(policy.table)]))
    print("\n\n".join(parts))
    return 0


def _load(path: Path) -> tuple[_Config, Policy | None]:
    """Load either kind of file, and the policy of a drone."""
    try:
        is_ground = "drone" in tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    if is_ground:
        return load_ground_config(path), None
    config = load_drone_config(path)
    return config, load_policy(path, config)


def _values(prefix: str, value: object) -> list[str]:
    """Return ``key = value`` lines, as the file would have them."""
    if isinstance(value, dict):
        return [
            line
            for key, item in value.items()
            for line in _values(f"{prefix}.{key}" if prefix else key, item)
        ]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [line for at, item in enumerate(value) for line in _values(f"{prefix}[{at}]", item)]
    shown = "(not set)" if value is None else msgspec.json.encode(value).decode()
    return [f"{prefix} = {shown}"]


def _override(policy: Policy) -> list[str]:
    if policy.fingerprint is None:
        return ["POLICY: built in", ""]
    return [
        f"POLICY: overridden, fingerprint {policy.fingerprint}; changes of what is built in:",
        *(f"  {line}" for line in differences(BUILT_IN.table, policy.table)),
        "",
    ]
