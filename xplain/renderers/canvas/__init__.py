"""Drawing primitives that all pictures share: sheets, text, strokes, colours, scales, legends, charts and pages."""
