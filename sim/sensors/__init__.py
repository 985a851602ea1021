"""Sensors: what is measured, with the faults of real ones."""
