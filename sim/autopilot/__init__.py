"""The embedded autopilot: ArduCopter's behaviour on a MAVLink 2 link, sans-I/O."""
