"""Leaf: MAVLink framing and what we put inside a sealed frame."""
