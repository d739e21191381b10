"""Edge Impulse: results of jobs, samples and devices."""
