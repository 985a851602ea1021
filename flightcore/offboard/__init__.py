"""Flying a trajectory from the companion: setpoints for ArduPilot's GUIDED mode, and their limits."""
