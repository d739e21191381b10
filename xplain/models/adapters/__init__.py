"""What people already have, and what it says of itself: labels, what its scores mean, how inputs are prepared."""
