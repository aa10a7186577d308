"""The till: tap mode, and staff who scan a customer's code."""
