"""Parameters of an autopilot, sans-I/O: read, compare, write one by one, keep in files."""
