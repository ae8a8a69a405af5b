"""The checker: certificates replayed with exact rationals and balls, and nothing that derived them.

No module here imports sympy, nor the package whose certificates it reads, nor the rest of ``proofs_check``.
"""
