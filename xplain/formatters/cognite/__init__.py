"""Cognite Vision: jobs of texts, asset tags, objects and gauges."""
