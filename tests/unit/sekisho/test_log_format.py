"""JSON log lines: one object a line, whatever the message holds.

Mutants killed: local time; no exception; a line break left in the line.
"""

import json
import logging
from datetime import datetime, timedelta

from sekisho.log_format import JsonLines


def made(message, *arguments, exc_info=None):
    record = logging.LogRecord(
        "sekisho.x", logging.WARNING, "f.py", 1, message, arguments, exc_info
    )
    return JsonLines().format(record)


def test_one_object_a_line():
    line = made("%s: bind = %r\nno", "drone.toml", '"関所"')
    assert "\n" not in line
    entry = json.loads(line)
    assert list(entry) == ["ts", "level", "logger", "message"]
    assert entry["message"] == "drone.toml: bind = '\"関所\"'\nno"
    assert (entry["level"], entry["logger"]) == ("warning", "sekisho.x")
    assert datetime.fromisoformat(entry["ts"]).utcoffset() == timedelta(0)


def test_an_exception_is_kept_with_its_place():
    try:
        int("here")
    except ValueError as error:
        line = made("failed", exc_info=(type(error), error, error.__traceback__))
    assert "\n" not in line
    assert "ValueError: invalid literal" in json.loads(line)["exception"]
    assert "test_log_format.py" in json.loads(line)["exception"]
