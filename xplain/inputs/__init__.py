"""What callers pass in, as arrays and bytes: photos, recordings, files; and the baselines that stand for no input."""
