"""Apple Wallet: passes are pulled by the phone after a push."""
