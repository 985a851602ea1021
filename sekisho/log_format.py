"""How log lines look: text for people, or one JSON object a line for a collector."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """`ts` (UTC), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        entry = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr(*, is_verbose: bool) -> None:
    """Log as text, until a configuration says otherwise."""
    level = logging.DEBUG if is_verbose else logging.INFO
    logging.basicConfig(level=level, format=TEXT, stream=sys.stderr)


def use_format(name: str) -> None:
    """Write what follows as ``text`` or ``json``."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonLines() if name == "json" else logging.Formatter(TEXT))
