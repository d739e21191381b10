"""What all formats share: readers with `$` paths, what a format can hold, losses, JSON text and streams of items."""
