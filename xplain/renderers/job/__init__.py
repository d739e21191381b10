"""Pictures and pages of whole jobs."""
