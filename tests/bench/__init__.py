"""The benchmark: the provider and the bare Transit calls, alternating in one run."""
