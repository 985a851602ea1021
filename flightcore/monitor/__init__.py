"""What watches the vehicle's own telemetry: the GNSS deception monitor. Arithmetic, no I/O."""
