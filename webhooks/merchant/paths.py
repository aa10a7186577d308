"""Where pages of the settings live that several files serve."""

from __future__ import annotations

# ULIDs only: what else could be typed there is not asked of the database.
CARD_PATH = "/merchant/cards/{program_id:[0-9A-Z]{26}}"

# API keys and webhooks.
MACHINES = "/merchant/machines"

# What is printed: posters and codes on paper.
CODES = "/merchant/codes"

# The connections to Apple Wallet and Google Wallet.
WALLETS = "/merchant/wallets"
