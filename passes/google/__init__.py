"""Google Wallet: objects are told to Google by REST."""
