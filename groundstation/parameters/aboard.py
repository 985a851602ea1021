"""The parameters of one drone at the console: the table as last read, its reading, its writing."""

from collections.abc import Mapping
from typing import Any, Final

from groundstation.parameters.file_reader import FileReader, Phase
from groundstation.parameters.files import ParameterFileError, compare, parse, write
from groundstation.parameters.list_reader import ListReader, parse_value_untrusted
from groundstation.parameters.message import Parameters
from groundstation.parameters.packed import PATH, PackedError, parse_untrusted
from groundstation.parameters.table import Parameter, kind_name, why_not
from groundstation.parameters.writer import Outcome, Pack, Write, Writer
from wire.mavlink import dialect, message_id

VIEW: Final = "parameters"
MAX_WRITES: Final = 200
_FILE: Final = dialect.MAVLINK_MSG_ID_FILE_TRANSFER_PROTOCOL
_VALUE: Final = dialect.MAVLINK_MSG_ID_PARAM_VALUE
_ERROR: Final = dialect.MAVLINK_MSG_ID_PARAM_ERROR
HEARD: Final = frozenset((_FILE, _VALUE, _ERROR))

Reply = dict[str, Any]


class ParametersAboard:
    """One drone's parameters. The zero state has read nothing and asks for nothing.

    Invariant: `table` holds what the drone has given completely, brought up to date by what it has
    announced since; or nothing.
    """

    def __init__(self, drone: str) -> None:
        self.table: dict[str, Parameter] = {}
        self.version = 0  # grows with every change of the table
        self._drone = drone
        self._file: FileReader | None = None
        self._list: ListReader | None = None
        self._writer = Writer([])
        self._said = ""  # how the last reading ended
        self._read_ns: int | None = None

    @property
    def is_reading(self) -> bool:
        """Tell whether the table is being read."""
        return self._file is not None or self._list is not None

    @property
    def is_writing(self) -> bool:
        """Tell whether something is still to be written."""
        return self._writer.current is not None

    def is_asked_for(self, operation: bytes) -> bool:
        """Tell whether the drone asks back exactly what has been sent from here."""
        return self._writer.is_asked_for(operation)

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take a message of `HEARD`."""
        match message_id(frame):
            case number if number == _FILE and self._file is not None:
                self._file.receive_untrusted(frame, now_ns)
            case number if number == _VALUE:
                if self._list is not None:
                    self._list.receive_untrusted(frame, now_ns)
                said = parse_value_untrusted(frame)
                if said is not None:
                    self._announced(said[0], now_ns)
            case number if number == _ERROR:
                self._writer.receive_error_untrusted(frame)
            case _:
                pass

    def outgoing(self, sysid: int, operation: bytes | None, now_ns: int, pack: Pack) -> list[bytes]:
        """Return the frames to send now; only to be called while this station may send."""
        frames = self._writer.outgoing(sysid, operation, now_ns, pack)
        if self._file is not None:
            to = (0, sysid, dialect.MAV_COMP_ID_AUTOPILOT1)
            frames += [
                pack(dialect.MAVLink_file_transfer_protocol_message(*to, list(payload)))
                for payload in self._file.outgoing(now_ns)
            ]
            self._settle_file(self._file, now_ns)
        if self._list is not None:
            frames += [pack(message) for message in self._list.outgoing(sysid, now_ns)]
            self._settle_list(self._list, now_ns)
        return frames

    def stop(self, why: str) -> None:
        """Write nothing more, because this station may not send any more."""
        self._writer.stop(why)

    def ask(self, asked: Parameters, sysid: int | None, now_ns: int) -> tuple[str, list[Reply]]:
        """Do what a page asks; return why not ("" if it is done), and what the page is told."""
        match asked.do:
            case "show":
                return "", [self._table()]
            case "read":
                return self._read(now_ns), []
            case "write":
                return self._write(asked.changes), []
            case "stop":
                self._writer.stop("stopped by the operator")
                return "", []
            case "compare":
                return self._compare(asked.text)
            case "export":
                return self._export(asked, sysid)

    def shown(self) -> Reply:
        """Return what every page is shown all the time: how far it is."""
        got, total = 0, 0
        how = ""
        if self._file is not None:
            (got, total), how = self._file.progress, "pieces of the file"
        elif self._list is not None:
            (got, total), how = self._list.progress, "parameters"
        return {
            "version": self.version,
            "count": len(self.table),
            "reading": (got, total, how) if self.is_reading else None,
            "said": self._said,
            "read_ms": None if self._read_ns is None else self._read_ns // 1_000_000,
            "writing": self.is_writing,
            "writes": [_shown_write(each) for each in self._writer.writes],
        }

    def _read(self, now_ns: int) -> str:
        if self.is_reading:
            return "They are being read"
        self._file, self._said = FileReader(PATH, now_ns), ""
        return ""

    def _settle_file(self, reader: FileReader, now_ns: int) -> None:
        if reader.phase is Phase.FAILED:
            self._fall_back(f"MAVLink FTP: {reader.why}", now_ns)
        elif reader.data is not None:
            try:
                self._replace(parse_untrusted(reader.data), "as a file", now_ns)
            except PackedError as error:
                self._fall_back(f"The file {error}", now_ns)

    def _fall_back(self, why: str, now_ns: int) -> None:
        self._file, self._list = None, ListReader(now_ns)
        self._said = f"{why}; reading one by one"

    def _settle_list(self, reader: ListReader, now_ns: int) -> None:
        if reader.table is not None:
            self._replace(reader.table, "one by one, without defaults", now_ns)
        elif reader.has_failed:
            got, total = reader.progress
            self._list = None
            self._said = f"Not read: {got} of {total} came, then no answer"

    def _replace(self, parameters: list[Parameter], how: str, now_ns: int) -> None:
        known = self.table
        self.table = {}
        for each in parameters:
            before = known.get(each.name)
            default = (
                before.default if each.default is None and before is not None else each.default
            )
            self.table[each.name] = each._replace(default=default)
        self._file = self._list = None
        self._said, self._read_ns = how, now_ns
        self.version += 1

    def _announced(self, said: Parameter, now_ns: int) -> None:
        """Follow what the drone says, whoever has set it."""
        known = self.table.get(said.name)
        if known is not None and known.value != said.value:
            self.table[said.name] = known._replace(value=said.value)
            self.version += 1
        self._writer.receive_value(said, now_ns)

    def _write(self, changes: Mapping[str, float]) -> str:
        if not self.table:
            return "Read the parameters first"
        if self.is_writing:
            return "Others are being written"
        if not 0 < len(changes) <= MAX_WRITES:
            return f"{len(changes)} changes; allowed: 1 to {MAX_WRITES} at a time"
        wanted = []
        for name, value in changes.items():
            parameter = self.table.get(name)
            if parameter is None:
                return f"{name}: this drone has no such parameter"
            why = why_not(value, parameter.kind)
            if why:
                return f"{name} = {value:g}: {why}"
            wanted.append((parameter, value))
        self._writer = Writer(wanted)  # all of them can be sent, or none is
        return ""

    def _compare(self, text: str) -> tuple[str, list[Reply]]:
        if not self.table:
            return "Read the parameters first", []
        try:
            difference = compare(parse(text), self.table)
        except ParameterFileError as error:
            return str(error), []
        file = {
            "changes": dict(difference.changes),
            "same": difference.same,
            "faults": list(difference.faults),
        }
        return "", [{"t": "view", "view": VIEW, "drone": self._drone, "file": file}]

    def _export(self, asked: Parameters, sysid: int | None) -> tuple[str, list[Reply]]:
        if not self.table:
            return "Read the parameters first", []
        about = f"{self._drone}: {len(self.table)} parameters, by Sekisho"
        text = write(list(self.table.values()), asked.form, sysid or 1, about)
        return "", [{"t": "view", "view": VIEW, "drone": self._drone, "export": text}]

    def _table(self) -> Reply:
        rows = [
            (each.name, each.value, kind_name(each.kind), each.default)
            for each in sorted(self.table.values())
        ]
        return {
            "t": "view",
            "view": VIEW,
            "drone": self._drone,
            "version": self.version,
            "rows": rows,
        }


def _shown_write(write_: Write) -> tuple[str, float, float, str, str]:
    outcome: Outcome = write_.outcome
    return write_.name, write_.old, write_.new, outcome.value, write_.why
