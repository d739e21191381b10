"""Arrays in, arrays out: run lengths, boxes, perturbation masks, counting and blending of maps."""
