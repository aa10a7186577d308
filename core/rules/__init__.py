"""Pure decisions on frozen values: no clock, no environment, no I/O."""
