"""The command `sekisho`: argv, configuration, wiring."""
