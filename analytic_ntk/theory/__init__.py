"""What papers on the neural tangent kernel compute, as objects that can be asked."""
