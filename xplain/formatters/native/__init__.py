"""xplain's own format: lossless and compact."""
