"""All SQL of the service. Rows leave as values of `core.rules.types`."""
