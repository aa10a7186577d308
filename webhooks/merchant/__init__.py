"""The merchant settings page."""
