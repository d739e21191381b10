"""What people hold, as arrays and texts: photos, recordings, files."""
