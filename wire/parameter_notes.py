"""What ArduCopter's parameters mean, for whoever shows them: the simulator and the console."""

from importlib import resources


def document() -> bytes:
    """Return the notes by name of parameter, as JSON.

    Of each what is known: `text`, what it is for; `unit`, as ArduPilot writes it; `range`, its
    lowest and highest sensible value, which nothing enforces.
    """
    return resources.files("wire").joinpath("data", "parameter-notes.json").read_bytes()
