"""LINE in and out: events become asks, outcomes become messages."""
