"""`make bench`: speed as ratios to a yardstick, measured in one run of one process."""
