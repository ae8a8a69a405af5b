"""Where the statements come from."""

from __future__ import annotations

CARVALHO = (
    "J. Carvalho, J. L. Costa, J. Mourao, G. Oliveira, The positivity of the Neural Tangent Kernel, "
    "arXiv:2404.12928, SIAM J. Math. Data Sci. 7(2), 2025"
)
OWN = "own derivation after Carvalho, Costa, Mourao, Oliveira (arXiv:2404.12928)"
PINKUS = "A. Pinkus, Strictly positive definite functions on a real inner product space, 2004"
CHEN = (
    "D. Chen, V. A. Menegatto, X. Sun, A necessary and sufficient condition for strictly positive definite "
    "functions on spheres, Proc. AMS 131, 2003"
)
MENEGATTO = (
    "V. A. Menegatto, C. P. Oliveira, A. P. Peron, Strictly positive definite kernels on subsets of the "
    "complex plane, 2006"
)
SCHUR = "I. Schur, Bemerkungen zur Theorie der beschraenkten Bilinearformen, J. reine angew. Math. 140, 1911"
MEHLER = "F. G. Mehler, J. reine angew. Math. 66, 1866"
PRICE = "R. Price, A useful theorem for nonlinear devices having Gaussian inputs, 1958"
FRECHET = "M. Frechet, Une definition fonctionnelle des polynomes, 1909"
OYMAK = "S. Oymak, M. Soltanolkotabi, Toward moderate overparameterization, 2019"
NGUYEN = "Q. Nguyen, M. Mondelli, G. Montufar, Tight bounds on the smallest eigenvalue of the NTK, 2021"
CHO = "Y. Cho, L. K. Saul, Kernel methods for deep learning, 2009"
ELEMENTARY = "linear algebra"
