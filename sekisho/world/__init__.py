"""A world on one clock: vehicles, companions, the air, a gateway and its operators."""
