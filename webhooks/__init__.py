"""HTTP in: callbacks of the platforms, pages, and the JSON API."""
