"""The built-in table: what passes, when and from whom, unless an override says otherwise."""

from typing import Final

from flightcore.policy.commands import COMMANDS, ITEMS
from flightcore.policy.messages import MESSAGES
from flightcore.policy.parameters import FILES, PARAMETERS
from flightcore.policy.rows import Kind, Table
from flightcore.policy.trajectories import TRAJECTORIES

BUILT_IN_TABLE: Final[Table] = {
    Kind.MESSAGE: MESSAGES,
    Kind.COMMAND: COMMANDS,
    Kind.ITEM: ITEMS,
    Kind.PARAMETER: PARAMETERS,
    Kind.FILE: FILES,
    Kind.TRAJECTORY: TRAJECTORIES,
}
