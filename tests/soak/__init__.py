"""Long runs of the whole thing, as commands (``python -m tests.soak kills``); short in pytest."""
