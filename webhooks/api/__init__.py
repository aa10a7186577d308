"""The JSON API for POS systems."""
