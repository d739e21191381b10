"""What all pictures are made of: sheets, letters, lines, colours, scales, legends, charts, pages."""
