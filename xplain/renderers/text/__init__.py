"""Pictures of explained texts: words in colour, as HTML, pixels, SVG and on terminals."""
