"""Flight control of the embedded autopilot, in plain floats: one vehicle per controller."""
