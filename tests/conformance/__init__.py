"""One table of cases, flown on the embedded autopilot and on the real ArduCopter.

Each case is a short script that talks MAVLink to a vehicle and returns what it observed. What
ArduCopter answered is recorded in `recorded.json`; the embedded autopilot must answer the same, or
the case says beside it why it does not, and its own answer is recorded too.
"""
