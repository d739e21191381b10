"""Pictures of explained signals: recordings and timelines."""
