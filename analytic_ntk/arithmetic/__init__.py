"""Number systems, and the interpreter that runs one expression in each of them."""
