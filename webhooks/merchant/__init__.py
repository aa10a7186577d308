"""The merchant settings page: connections, card designs, their preview."""
