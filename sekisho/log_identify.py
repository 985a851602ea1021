"""`sekisho logs identify`: thrust curve and drag of a vehicle, from a recorded flight."""

import argparse
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from crypto.aio.files import StoreError
from crypto.aio.log_files import pieces
from crypto.aio.log_keys import load_log_private
from crypto.log_chain import Known, LogChain
from flightcore.flight_log import FlightLog, LogError
from flightcore.identification import Estimate, Identified, identify
from flightcore.vehicle_file import VehicleFile
from sekisho.config_file import load
from sekisho.log_reports import add_known, open_with
from sekisho.runtime import OperationFailedError
from wire.tlog import TlogSplitter

_AXES: Final = ("forwards", "sideways", "down")


class IdentifyReport(msgspec.Struct):
    """For ``--json``: what was found, what was taken for granted, and where it was written."""

    ok: bool
    file: str
    found: Identified
    assumed: dict[str, float]
    written: str | None


def add_identify(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `logs identify`."""
    parser = verbs.add_parser(
        "identify",
        help="thrust curve and drag of the vehicle that was flown",
        description="Fit thrust curve, hover thrust and drag to a flight, with standard errors. "
        "FILE is a .tlog, or with --key a sealed recording. With --vehicle and --out a vehicle "
        "file is written: what was weighed and measured is taken from the first, the rest from "
        "the flight. Fly for a minute or more: forwards and sideways, fast and slow, up and down, "
        "in little wind.",
        epilog="example: sekisho logs identify flight.tlog --vehicle measured.toml "
        "--out vehicle.toml",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--key", type=Path, help="the private file that keygen wrote")
    parser.add_argument("--vehicle", type=Path, help="a vehicle file with mass, inertia, rotors")
    parser.add_argument("--out", type=Path, help="a new vehicle file")
    add_known(parser)
    parser.set_defaults(run=run_identify)


def run_identify(arguments: argparse.Namespace) -> int:
    """Identify, say what was found, and write it if asked to."""
    if (arguments.vehicle is None) != (arguments.out is None):
        raise StoreError("--vehicle and --out: give both, or neither")
    base = (
        None
        if arguments.vehicle is None
        else load(arguments.vehicle, VehicleFile, VehicleFile.check)
    )
    log = _read(arguments)
    try:
        flight = log.flight()
    except LogError as error:
        raise OperationFailedError(f"{arguments.file}: {error}") from None
    found = identify(flight)
    assumed = {name: flight.parameters[name] for name in flight.assumed}
    lines = _lines(found, assumed)
    if base is not None:
        try:
            with arguments.out.open("x") as out:
                out.write(_vehicle(base, found).text(said="\n".join(lines)))
        except OSError as error:
            raise StoreError(f"{arguments.out}: {error.strerror}; --out names a new file") from None
    if arguments.json:
        written = None if arguments.out is None else str(arguments.out)
        report = IdentifyReport(
            ok=True, file=str(arguments.file), found=found, assumed=assumed, written=written
        )
        print(msgspec.json.encode(report).decode())
    else:
        print("\n".join(lines))
        if arguments.out is not None:
            print(f"written: {arguments.out}")
    return 0


def _read(arguments: argparse.Namespace) -> FlightLog:
    log, splitter = FlightLog(), TlogSplitter()
    if arguments.key is not None:
        known = Known(arguments.signer, arguments.head)
        open_with(
            arguments.file,
            load_log_private(arguments.key),
            known,
            partial(_take, log, splitter),
        )
        return log
    if _is_sealed(arguments.file):
        raise StoreError(f"{arguments.file}: a sealed recording: --key opens it")
    for piece in pieces(arguments.file):
        _take(log, splitter, piece)
    return log


def _take(log: FlightLog, splitter: TlogSplitter, data: bytes) -> None:
    for _, frame in splitter.receive(data):
        log.receive_untrusted(frame)


def _is_sealed(path: Path) -> bool:
    chain = LogChain()
    for piece in pieces(path):
        chain.receive_untrusted(piece)
        break
    return chain.header is not None


def _vehicle(base: VehicleFile, found: Identified) -> VehicleFile:
    """Return the vehicle with what the flight told; what it did not tell stays."""
    x, y, z = (
        before if drag is None else round(base.mass * drag.value, 4)
        for before, drag in zip(base.drag, found.drag, strict=True)
    )
    return msgspec.structs.replace(
        base,
        thrust_max=round(0.25 * base.mass * found.full.value, 4),
        drag=(x, y, z),
        lift=0.0 if found.lift is None else round(base.mass * found.lift.value, 5),
        curve=round(found.curve.value, 3),
        volts=None if found.volts is None else round(found.volts, 2),
    )


def _lines(found: Identified, assumed: dict[str, float]) -> list[str]:
    at = "" if found.volts is None else f", at {found.volts:.2f} V"
    lines = [
        f"identified from {found.seconds:.0f} s of flight, {found.samples} samples "
        "(value +- standard error)",
        f"  full thrust per mass   {_said(found.full, 2)} m/s2{at}",
        f"  hover, MOT_THST_HOVER  {_said(found.hover, 3)}",
        f"  curve, MOT_THST_EXPO   {_said(found.curve, 3)}"
        + (": assumed, the flight is too even to tell" if found.curve_assumed else ""),
    ]
    for axis, drag in zip(_AXES, found.drag, strict=True):
        said = "not told: hardly flown that way" if drag is None else f"{_said(drag, 3)} 1/s"
        lines.append(f"  drag {axis:<17} {said}")
    if found.lift is not None:
        lines.append(f"  lift                   {_said(found.lift, 4)} 1/m")
    if found.wind_n is not None:
        north, east = found.wind_n
        lines.append(
            f"  wind                   north {north:.1f}, east {east:.1f} m/s, as drag says"
        )
    x, y, z = found.residual
    lines.append(f"  left over, rms         {x:.2f}, {y:.2f}, {z:.2f} m/s2 along x, y, z")
    lines.append(f"  thrust lags by         {found.lag_s:.2f} s")
    if assumed:
        said = ", ".join(f"{name} = {value:g}" for name, value in assumed.items())
        lines.append(f"  not in the recording, taken as ArduPilot's default: {said}")
    return lines


def _said(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} +- {estimate.error:.{digits}f}"
