"""What the page says about parameters."""

from typing import Annotated, Literal

import msgspec

from groundstation.parameters.files import Format
from groundstation.parameters.table import MAX_PARAMETERS

Name = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]{0,15}$")]
Changes = Annotated[dict[Name, float], msgspec.Meta(max_length=MAX_PARAMETERS)]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="parameters"):
    """One request. `saw` is the gateway's time of the picture it was decided on.

    `show` gives the table; `read` reads it from the drone; `write` writes `changes`; `stop` ends
    that; `compare` tells what the file in `text` would change; `export` makes a file of `form`.
    """

    id: int
    drone: str
    saw: int
    do: Literal["show", "read", "write", "stop", "compare", "export"]
    changes: Changes = {}
    text: str = ""
    form: Format = Format.QGROUNDCONTROL

    @property
    def only_looks(self) -> bool:
        """Tell whether nothing is sent to the drone for it."""
        return self.do in ("show", "compare", "export")
