"""Arrays in, arrays out: run lengths, perturbation masks, counting and blending of maps."""
