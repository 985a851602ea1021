"""Bytes that an attacker may choose: no exception, no growth, no reply to what is not authentic.

`python -m tests.fuzz` runs every target; each file names its invariant in its first line.
"""
