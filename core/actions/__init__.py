"""One function per use case, each of one open transaction: `fn(tx, …, now)`."""
