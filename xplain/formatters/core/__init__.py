"""What all formats share: readers, what a format can hold, losses, JSON text, and jobs read item by item."""
