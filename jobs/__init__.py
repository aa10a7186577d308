"""What is started: command line, workers, clock and the composition root."""
