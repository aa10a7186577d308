"""The card as a pass in Apple Wallet and Google Wallet."""
