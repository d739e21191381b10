"""Modzy: explainability objects, items and jobs."""
