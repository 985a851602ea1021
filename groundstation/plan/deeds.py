"""What a page may ask of the planning of one drone, as types: anything else is refused by name."""

from typing import Annotated

import msgspec

from groundstation.plan.model import MAX_ALTITUDE, Circle, Home, Polygon, Rally, Simple, Survey
from groundstation.plan.route import Shape

Editable = Simple | Survey | Polygon | Circle | Rally


class _Deed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Watch(_Deed, frozen=True, tag="watch"):
    """Be told of the planning of this drone, and of no other, or of none any more."""

    on: bool


class Add(_Deed, frozen=True, tag="add"):
    """Add an element before the one at a place in its list, or at the end."""

    element: Editable
    at: int | None = None


class Put(_Deed, frozen=True, tag="put"):
    """Put an element in the place of the one with its id."""

    element: Editable


class Drop(_Deed, frozen=True, tag="drop"):
    """Take elements out."""

    ids: Annotated[list[int], msgspec.Meta(max_length=1000)]


class Move(_Deed, frozen=True, tag="move"):
    """Move an element to a place in its list."""

    element: int
    to: int


class Settle(_Deed, frozen=True, tag="settle"):
    """Set what is no element: speeds [m/s], ceiling [m above home], home."""

    hover_speed: Annotated[float, msgspec.Meta(gt=0, le=100)]
    cruise_speed: Annotated[float, msgspec.Meta(gt=0, le=200)]
    ceiling: Annotated[float, msgspec.Meta(ge=1, le=MAX_ALTITUDE)] | None = None
    home: Home | None = None


class Undo(_Deed, frozen=True, tag="undo"):
    """Bring back the draft before the last edit."""


class Redo(_Deed, frozen=True, tag="redo"):
    """Make the last undone edit again."""


class Clear(_Deed, frozen=True, tag="clear"):
    """Empty the draft; what is aboard stays."""


class Import(_Deed, frozen=True, tag="import"):
    """Make the contents of a `.plan` file the draft."""

    text: str


class Export(_Deed, frozen=True, tag="export"):
    """Be given the draft as a `.plan` file."""


class Read(_Deed, frozen=True, tag="read"):
    """Read what is aboard."""


class Take(_Deed, frozen=True, tag="take"):
    """Make what is aboard the draft."""


class Send(_Deed, frozen=True, tag="send"):
    """Send lists of the draft, each with the digest of what was aboard when it was compared."""

    mission: str | None = None
    fence: str | None = None
    rally: str | None = None


class Cancel(_Deed, frozen=True, tag="cancel"):
    """Break the transfer off."""


class Bring(_Deed, frozen=True, tag="bring"):
    """Make the draft a trajectory, and bring it to the companion; it is not started by that.

    `acceleration` is the greatest [m/s2].
    """

    shape: Shape = Shape.LEGS
    acceleration: Annotated[float, msgspec.Meta(ge=0.1, le=6)] = 2.0


class Start(_Deed, frozen=True, tag="start"):
    """Let the companion fly the trajectory of this name, which is the one brought last."""

    identity: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]


class Pause(_Deed, frozen=True, tag="pause"):
    """Let the companion stop on its way and hold."""


class Resume(_Deed, frozen=True, tag="resume"):
    """Let the companion fly on."""


class Abort(_Deed, frozen=True, tag="abort"):
    """Let the companion stop, and steer no more."""


class Forget(_Deed, frozen=True, tag="forget"):
    """Let the companion forget its trajectory."""


Fly = Start | Pause | Resume | Abort | Forget
Flying = Bring | Fly
Edit = Add | Put | Drop | Move | Settle | Undo | Redo
Task = Edit | Clear | Import | Export | Read | Take | Send | Cancel | Flying
Deed = Watch | Task


class Planning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="plan"):
    """A message of a page about planning. `saw` is the gateway's time of its picture.

    `id` comes back with the result.
    """

    id: int
    drone: str
    saw: int
    do: Deed
