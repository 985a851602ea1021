"""Aboard: between the autopilot and the link."""
