"""Measurements of the product, beside its peers where they are installed; no test."""
