"""Deepomatic: inferences, tasks, specifications and versions."""
