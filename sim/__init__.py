"""The world: vehicle, autopilot front and hostile link."""
