"""Flying a trajectory from the companion, by setpoints for ArduPilot's GUIDED mode."""
