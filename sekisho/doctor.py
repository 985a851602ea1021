"""`sekisho doctor`: look at the machine and the autopilot, and name the exact fix."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import serial

from crypto.aio.store import Store
from flightcore.config import UDP_DEVICE, DroneConfig
from flightcore.parameters import WRITTEN
from flightcore.prearm import PrearmStatus
from sekisho.config_file import ConfigError
from sekisho.doctor_autopilot import Asked, LineAsked, ServiceAsked
from sekisho.doctor_machine import CHECKS, Finding, Level, address, line
from sekisho.runtime import OperationFailedError, holding, is_answering, socket_path
from sekisho.services import load_drone_config

_ROOT: Final = Path("/")
_FIX: Final = "sekisho doctor --config {} --fix-parameters"
_MARKS: Final = {Level.OK: "ok     ", Level.WARNING: "warning", Level.WRONG: "WRONG  "}


class DoctorReport(msgspec.Struct):
    """What ``--json`` prints. `written` is what became of each parameter that was to be changed."""

    ok: bool
    findings: list[dict[str, str]]
    written: dict[str, str]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this machine and the autopilot, and name the fix",
        description="Check what the companion needs of this machine and of the autopilot's "
        "parameters. Exit status 0: nothing is wrong; 1: something is.",
        epilog="example: sekisho doctor --config drone.toml --fix-parameters",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="drone.toml")
    parser.add_argument(
        "--fix-parameters",
        action="store_true",
        help="propose the autopilot's parameters, write them if you say yes, and read them back",
    )
    parser.add_argument("--yes", action="store_true", help="say yes to the proposal beforehand")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything; change what was asked for; return 1 if something is wrong."""
    config = load_drone_config(arguments.config)
    if arguments.json and arguments.fix_parameters and not arguments.yes:
        raise ConfigError("--json --fix-parameters: nobody can be asked; add --yes")
    service = _service(config)
    pid = None if service is None else service.pid()
    findings = [finding for check in CHECKS for finding in check(config, _ROOT)]
    findings += line(config, _ROOT, pid)
    findings += address(config, is_running=service is not None)
    text = "not running: the line is asked here" if service is None else f"answers, process {pid}"
    findings.append(Finding("sekisho drone", Level.OK, text))
    written: dict[str, str] = {}
    try:
        with _asked(config, service) as asked:
            gate = asked.gate()
            if arguments.fix_parameters and gate is not None:
                written = _fix(asked, gate, arguments)
                gate = asked.gate()
            findings += _findings(gate, arguments.config)
    except (serial.SerialException, OperationFailedError) as error:
        findings.append(Finding("autopilot", Level.WRONG, str(error), "see autopilot.device"))
    is_ok = all(finding.level is not Level.WRONG for finding in findings) and all(
        result == WRITTEN for result in written.values()
    )
    if arguments.json:
        shown = [{k: str(v) for k, v in finding._asdict().items()} for finding in findings]
        print(msgspec.json.encode(DoctorReport(is_ok, shown, written)).decode())
    else:
        _print(findings)
    return 0 if is_ok else 1


def _service(config: DroneConfig) -> ServiceAsked | None:
    """Return the running service of this state directory, None if none answers."""
    if not config.state_dir.is_dir():
        return None
    path = socket_path("drone", config.state_dir)
    return ServiceAsked(path) if is_answering(path) else None


@contextlib.contextmanager
def _asked(config: DroneConfig, service: ServiceAsked | None) -> Iterator[Asked]:
    """Ask the service if it runs, else the line, which nobody can take meanwhile.

    Raises:
        OperationFailedError: The line is not one that can be asked here.
    """
    if service is not None:
        yield service
        return
    is_signed = os.path.lexists(Store(config.state_dir).secrets.autopilot.path)
    if config.autopilot.device.startswith(UDP_DEVICE) or is_signed:
        raise OperationFailedError("not asked: start `sekisho drone`, and repeat")
    with holding("drone", config.state_dir), LineAsked(config) as asked:
        yield asked


def _findings(gate: PrearmStatus | None, config: Path) -> Iterator[Finding]:
    if gate is None:
        fix = "power it; SERIALn_PROTOCOL = 2 and SERIALn_BAUD there, autopilot.baud here"
        yield Finding("autopilot", Level.WRONG, "no heartbeat is heard", fix)
        return
    if not gate.enforced:
        text = "prearm.enforce = false: the gate warns and refuses nothing"
        yield Finding("prearm", Level.WARNING, text, "take it out of drone.toml")
    if gate.hindrance is not None:
        yield Finding("prearm", Level.WRONG, gate.hindrance, "docs/failsafe.md, the pre-arm gate")
    for name, parameter in gate.parameters.items():
        missing = gate.missing.get(name)
        if missing is None:
            yield Finding(name, Level.OK, f"{parameter.value:g}")
        elif parameter.value is None or parameter.proposed is None:
            fix = f"{name}: {parameter.wanted} ({parameter.why})"
            yield Finding(name, Level.WRONG, missing, fix)
        else:
            yield Finding(name, Level.WRONG, missing, _FIX.format(config))


def _fix(asked: Asked, gate: PrearmStatus, arguments: argparse.Namespace) -> dict[str, str]:
    """Propose, ask, write and read back; return what became of each.

    Raises:
        OperationFailedError: The vehicle is not known to be disarmed.
    """
    proposals = {
        name: parameter.proposed
        for name, parameter in gate.parameters.items()
        if name in gate.missing and parameter.value is not None and parameter.proposed is not None
    }
    if not proposals:
        print("nothing to change", file=sys.stderr)
        return {}
    state = asked.state()
    if state != "disarmed":
        raise OperationFailedError(f"the autopilot is {state}: nothing was changed; land, disarm")
    for name, proposed in proposals.items():
        parameter = gate.parameters[name]
        print(
            f"{name:16} now {parameter.value:<8g} proposed {proposed:<8g} {parameter.why}",
            file=sys.stderr,
        )
    if not arguments.yes:
        print("write these into the autopilot? type yes: ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip() != "yes":
            print("nothing was changed", file=sys.stderr)
            return {}
    written = {name: asked.write(name, value) for name, value in proposals.items()}
    for name, result in written.items():
        print(f"{name}: {result}", file=sys.stderr)
    return written


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        print(f"{_MARKS[finding.level]} {finding.name}: {finding.text}")
        if finding.fix and finding.level is not Level.OK:
            print(f"        do: {finding.fix}")
