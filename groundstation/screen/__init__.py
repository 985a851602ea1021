"""What the operator's console shows of each drone: telemetry in, a compact picture out."""
