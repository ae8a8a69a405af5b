"""Conjectures on kernels: stated in text, proved or refuted, with a certificate for who distrusts the
answer."""
