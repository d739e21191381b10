"""Pictures of explained images: maps and regions on photos."""
