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
SHILTON = (
    "A. Shilton, S. Gupta, S. Rana, S. Venkatesh, Gradient descent in neural networks as sequential learning "
    "in reproducing kernel Banach space, ICML 2023, arXiv:2302.00205"
)
ELEMENTARY = "linear algebra"
BOMBARI = (
    "S. Bombari, M. H. Amani, M. Mondelli, Memorization and Optimization in Deep Neural Networks with "
    "Minimum Over-parameterization, NeurIPS 2022 (arXiv:2205.10217)"
)
WEYL = "H. Weyl, Das asymptotische Verteilungsgesetz der Eigenwerte, Math. Ann. 71, 1912"
NICHANI = (
    "E. Nichani, Y. Bai, J. D. Lee, Identifying good directions to escape the NTK regime and efficiently "
    "learn low-degree plus sparse polynomials, arXiv:2206.03688, NeurIPS 2022"
)
SONG = (
    "C. Song, A. Ramezani-Kebrya, T. Pethick, A. Eftekhari, V. Cevher, Subquadratic overparameterization for "
    "shallow neural networks, NeurIPS 2021, arXiv:2111.01875"
)
TROPP = "J. A. Tropp, User-friendly tail bounds for sums of random matrices, Theorem 1.1, 2012"
