"""Where things come from, in full: the activations of the catalogue, and what the articles stand on."""

from __future__ import annotations

from dataclasses import dataclass

from analytic_ntk.activation import Activation
from analytic_ntk.activations import CATALOGUE


@dataclass(frozen=True)
class Reference:
    """A publication; ``doi`` and ``arxiv`` are the bare identifiers, empty where there are none."""

    authors: str
    title: str
    where: str
    year: int
    doi: str = ""
    arxiv: str = ""

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """Text and address of each identifier."""
        found = []
        if self.doi:
            found.append((f"doi:{self.doi}", f"https://doi.org/{self.doi}"))
        if self.arxiv:
            found.append((f"arXiv:{self.arxiv}", f"https://arxiv.org/abs/{self.arxiv}"))
        return tuple(found)

    def __str__(self) -> str:
        """One line.

        >>> print(ACTIVATIONS["Barron 2017"])
        J. T. Barron, Continuously differentiable exponential linear units, 2017, arXiv:1704.07483
        """
        where = f"{self.where}, " if self.where else ""
        known = "".join(f", {text}" for text, _ in self.links)
        return f"{self.authors}, {self.title}, {where}{self.year}{known}"


_NIPS = "Advances in Neural Information Processing Systems"

CHO_SAUL = Reference("Y. Cho, L. K. Saul", "Kernel methods for deep learning", f"{_NIPS} 22", 2009)
DANIELY = Reference(
    "A. Daniely, R. Frostig, Y. Singer",
    "Toward deeper understanding of neural networks: the power of initialization and a dual view on "
    "expressivity",
    f"{_NIPS} 29",
    2016,
    arxiv="1602.05897",
)
HENDRYCKS = Reference(
    "D. Hendrycks, K. Gimpel", "Gaussian error linear units (GELUs)", "", 2016, arxiv="1606.08415"
)
HOWARD = Reference(
    "A. Howard, M. Sandler, G. Chu, L.-C. Chen, B. Chen, M. Tan, W. Wang, Y. Zhu, R. Pang, V. Vasudevan, "
    "Q. V. Le, H. Adam",
    "Searching for MobileNetV3",
    "International Conference on Computer Vision",
    2019,
    arxiv="1905.02244",
)
LIVNI = Reference(
    "R. Livni, S. Shalev-Shwartz, O. Shamir",
    "On the computational efficiency of training neural networks",
    f"{_NIPS} 27",
    2014,
    arxiv="1410.1141",
)
RAHIMI = Reference(
    "A. Rahimi, B. Recht", "Random features for large-scale kernel machines", f"{_NIPS} 20", 2007
)
SITZMANN = Reference(
    "V. Sitzmann, J. N. P. Martel, A. W. Bergman, D. B. Lindell, G. Wetzstein",
    "Implicit neural representations with periodic activation functions",
    f"{_NIPS} 33",
    2020,
    arxiv="2006.09661",
)
WILLIAMS = Reference("C. K. I. Williams", "Computing with infinite networks", f"{_NIPS} 9", 1997)

ACTIVATIONS: dict[str, Reference | None] = {
    "classical": None,
    "linear networks": Reference(
        "A. M. Saxe, J. L. McClelland, S. Ganguli",
        "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
        "International Conference on Learning Representations",
        2014,
        arxiv="1312.6120",
    ),
    "McCulloch, Pitts 1943": Reference(
        "W. S. McCulloch, W. Pitts",
        "A logical calculus of the ideas immanent in nervous activity",
        "Bulletin of Mathematical Biophysics 5, 115-133",
        1943,
        doi="10.1007/BF02478259",
    ),
    "Rosenblatt 1958": Reference(
        "F. Rosenblatt",
        "The perceptron: a probabilistic model for information storage and organization in the brain",
        "Psychological Review 65, 386-408",
        1958,
        doi="10.1037/h0042519",
    ),
    "Nair, Hinton 2010": Reference(
        "V. Nair, G. E. Hinton",
        "Rectified linear units improve restricted Boltzmann machines",
        "International Conference on Machine Learning, 807-814",
        2010,
    ),
    "Maas, Hannun, Ng 2013": Reference(
        "A. L. Maas, A. Y. Hannun, A. Y. Ng",
        "Rectifier nonlinearities improve neural network acoustic models",
        "ICML Workshop on Deep Learning for Audio, Speech and Language Processing",
        2013,
    ),
    "He et al. 2015": Reference(
        "K. He, X. Zhang, S. Ren, J. Sun",
        "Delving deep into rectifiers: surpassing human-level performance on ImageNet classification",
        "International Conference on Computer Vision, 1026-1034",
        2015,
        doi="10.1109/ICCV.2015.123",
        arxiv="1502.01852",
    ),
    "Bruna, Mallat 2013": Reference(
        "J. Bruna, S. Mallat",
        "Invariant scattering convolution networks",
        "IEEE Transactions on Pattern Analysis and Machine Intelligence 35, 1872-1886",
        2013,
        doi="10.1109/TPAMI.2012.230",
        arxiv="1203.1513",
    ),
    "Krizhevsky 2010": Reference(
        "A. Krizhevsky", "Convolutional deep belief networks on CIFAR-10", "unpublished manuscript", 2010
    ),
    "Collobert 2004": Reference(
        "R. Collobert", "Large scale machine learning", "PhD thesis, Université Paris VI", 2004
    ),
    "Howard et al. 2019": HOWARD,
    "Cho, Saul 2009": CHO_SAUL,
    "Livni, Shalev-Shwartz, Shamir 2014": LIVNI,
    "Daniely, Frostig, Singer 2016": DANIELY,
    "Clevert, Unterthiner, Hochreiter 2016": Reference(
        "D.-A. Clevert, T. Unterthiner, S. Hochreiter",
        "Fast and accurate deep network learning by exponential linear units (ELUs)",
        "International Conference on Learning Representations",
        2016,
        arxiv="1511.07289",
    ),
    "Klambauer et al. 2017": Reference(
        "G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter",
        "Self-normalizing neural networks",
        f"{_NIPS} 30",
        2017,
        arxiv="1706.02515",
    ),
    "Barron 2017": Reference(
        "J. T. Barron", "Continuously differentiable exponential linear units", "", 2017, arxiv="1704.07483"
    ),
    "Williams 1997": WILLIAMS,
    "Bliss 1934": Reference(
        "C. I. Bliss", "The method of probits", "Science 79, 38-39", 1934, doi="10.1126/science.79.2037.38"
    ),
    "Hendrycks, Gimpel 2016": HENDRYCKS,
    "Rumelhart, Hinton, Williams 1986": Reference(
        "D. E. Rumelhart, G. E. Hinton, R. J. Williams",
        "Learning representations by back-propagating errors",
        "Nature 323, 533-536",
        1986,
        doi="10.1038/323533a0",
    ),
    "LeCun et al. 1998": Reference(
        "Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller",
        "Efficient BackProp",
        "Neural Networks: Tricks of the Trade, LNCS 1524, 9-50",
        1998,
        doi="10.1007/3-540-49430-8_2",
    ),
    "Dugas et al. 2001": Reference(
        "C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau, R. Garcia",
        "Incorporating second-order functional knowledge for better option pricing",
        f"{_NIPS} 13",
        2001,
    ),
    "Elfwing, Uchibe, Doya 2018": Reference(
        "S. Elfwing, E. Uchibe, K. Doya",
        "Sigmoid-weighted linear units for neural network function approximation in reinforcement learning",
        "Neural Networks 107, 3-11",
        2018,
        doi="10.1016/j.neunet.2017.12.012",
        arxiv="1702.03118",
    ),
    "Ramachandran, Zoph, Le 2017": Reference(
        "P. Ramachandran, B. Zoph, Q. V. Le",
        "Searching for activation functions",
        "",
        2017,
        arxiv="1710.05941",
    ),
    "Misra 2019": Reference(
        "D. Misra",
        "Mish: a self regularized non-monotonic activation function",
        "",
        2019,
        arxiv="1908.08681",
    ),
    "Bergstra et al. 2009": Reference(
        "J. Bergstra, G. Desjardins, P. Lamblin, Y. Bengio",
        "Quadratic polynomials learn better image features",
        "Technical Report 1337, DIRO, Université de Montréal",
        2009,
    ),
    "Sitzmann et al. 2020": SITZMANN,
    "Rahimi, Recht 2007": RAHIMI,
    "Ziyin, Hartwig, Ueda 2020": Reference(
        "L. Ziyin, T. Hartwig, M. Ueda",
        "Neural networks fail to learn periodic functions and how to fix it",
        f"{_NIPS} 33",
        2020,
        arxiv="2006.08195",
    ),
}
"""By the short form in the catalogue; ``None`` where there is no one source."""

_MEAN_FIELD = (
    Reference(
        "B. Poole, S. Lahiri, M. Raghu, J. Sohl-Dickstein, S. Ganguli",
        "Exponential expressivity in deep neural networks through transient chaos",
        f"{_NIPS} 29",
        2016,
        arxiv="1606.05340",
    ),
    Reference(
        "S. S. Schoenholz, J. Gilmer, S. Ganguli, J. Sohl-Dickstein",
        "Deep information propagation",
        "International Conference on Learning Representations",
        2017,
        arxiv="1611.01232",
    ),
)
_KERNELS = (
    Reference(
        "J. Lee, Y. Bahri, R. Novak, S. S. Schoenholz, J. Pennington, J. Sohl-Dickstein",
        "Deep neural networks as Gaussian processes",
        "International Conference on Learning Representations",
        2018,
        arxiv="1711.00165",
    ),
    Reference(
        "A. Jacot, F. Gabriel, C. Hongler",
        "Neural tangent kernel: convergence and generalization in neural networks",
        f"{_NIPS} 31",
        2018,
        arxiv="1806.07572",
    ),
)
_MEHLER = Reference(
    "F. G. Mehler",
    "Ueber die Entwicklung einer Function von beliebig vielen Variablen nach Laplaceschen Functionen höherer "
    "Ordnung",
    "Journal für die reine und angewandte Mathematik 66, 161-176",
    1866,
    doi="10.1515/crll.1866.66.161",
)

ARTICLES_STAND_ON: dict[str, tuple[Reference, ...]] = {
    "dual": (CHO_SAUL, DANIELY),
    "derivative-dual": (
        Reference(
            "R. Price",
            "A useful theorem for nonlinear devices having Gaussian inputs",
            "IRE Transactions on Information Theory 4, 69-72",
            1958,
            doi="10.1109/TIT.1958.1057444",
        ),
    ),
    "kernels": _KERNELS,
    "depth": _KERNELS,
    "series": (_MEHLER, DANIELY),
    "spectrum": (
        Reference(
            "I. J. Schoenberg",
            "Positive definite functions on spheres",
            "Duke Mathematical Journal 9, 96-108",
            1942,
            doi="10.1215/S0012-7094-42-00908-6",
        ),
        Reference(
            "A. Bietti, F. Bach",
            "Deep equals shallow for ReLU networks in kernel regimes",
            "International Conference on Learning Representations",
            2021,
            arxiv="2009.14397",
        ),
    ),
    "edge": _MEAN_FIELD,
    "deep-limit": _MEAN_FIELD,
    "positivity": (
        Reference(
            "L. Carvalho, J. L. Costa, J. Mourão, G. Oliveira",
            "The positivity of the neural tangent kernel",
            "SIAM Journal on Mathematics of Data Science 7, 495-515",
            2025,
            doi="10.1137/24M1659534",
            arxiv="2404.12928",
        ),
    ),
}
"""By the key of the article."""


def of_activation(phi: Activation) -> tuple[Reference, ...]:
    """What the catalogue cites for an activation with this formula, at its representative parameters.

    >>> [r.year for r in of_activation(Activation.parse("x*Phi(x)"))]
    [2016]
    """
    found = (ACTIVATIONS[record.reference] for record in CATALOGUE if record.representative() == phi)
    return tuple(dict.fromkeys(reference for reference in found if reference is not None))


def of_articles() -> dict[Reference, tuple[str, ...]]:
    """What the articles stand on, each with the keys of the articles that use it."""
    found: dict[Reference, list[str]] = {}
    for key, references in ARTICLES_STAND_ON.items():
        for reference in references:
            found.setdefault(reference, []).append(key)
    return {reference: tuple(keys) for reference, keys in found.items()}
