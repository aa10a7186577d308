"""A whole shop without any account: stand-ins for the platforms and a phone page."""
