"""On the ground: between the link and the tools people use."""
