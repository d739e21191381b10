"""Arrays in, arrays out: run lengths, perturbation masks, resizing and blending of maps."""
