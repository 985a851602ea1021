"""Control laws as arithmetic: written once, run as floats for one vehicle or rows for thousands."""
