"""The infinitely wide network, trained: regression and classification in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dpocon as pocon
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from analytic_ntk.activation import Activation
from analytic_ntk.errors import DomainError
from analytic_ntk.network import Network
from analytic_ntk.sklearn.settings import diagonal, network_of, variance

Array = NDArray[np.float64]
KERNELS = ("ntk", "nngp")


class _InfiniteWidth(BaseEstimator):
    """``f(x) = K(x, X) (K(X, X) + noise I)^-1 y``."""

    def __init__(
        self,
        kernel: str = "ntk",
        activation: str | Activation = "relu",
        depth: int = 1,
        weight_variance: float = 2.0,
        bias_variance: float = 0.1,
        noise: float = 0.01,
    ) -> None:
        self.kernel = kernel
        self.activation = activation
        self.depth = depth
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.noise = noise

    def _settle(self, X: Array, targets: Array) -> None:
        if self.kernel not in KERNELS:
            raise DomainError(f"kernel = {self.kernel!r}"[:100], '"ntk" or "nngp"')
        noise = variance(self.noise, "noise")
        network = network_of(self.activation, self.depth, self.weight_variance, self.bias_variance)
        matrix = network.gram(X, None, self.kernel)
        matrix[np.diag_indices_from(matrix)] += noise
        size = max(float(np.abs(row).sum()) for row in matrix)
        try:
            factor, _ = cho_factor(matrix, lower=True, overwrite_a=True)
            inverse_condition, _ = pocon(factor, size, uplo="L")
        except LinAlgError:
            inverse_condition = 0.0
        if not inverse_condition > np.finfo(float).eps:
            raise DomainError(
                f"a kernel matrix of {len(X)} rows that is singular in float64 (noise = {noise:g})",
                "a positive definite matrix",
                "raise noise, or drop duplicate rows",
            )
        self.network_: Network = network
        self.kernel_: str = self.kernel
        self.X_fit_ = X
        self.noise_ = noise
        self._factor = factor
        self.dual_coef_ = cho_solve((factor, True), targets)

    def _new(self, X: ArrayLike) -> Array:
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _mean(self, X: Array) -> Array:
        return self.network_.gram(X, self.X_fit_, self.kernel_) @ self.dual_coef_

    def _standard_deviation(self, X: Array) -> Array:
        """See :meth:`InfiniteWidthRegressor.predict`."""
        network = self.network_
        prior_at_x = diagonal(network, X, "nngp")
        cross = network.gram(self.X_fit_, X, self.kernel_)
        if self.kernel_ == "nngp":
            half = solve_triangular(self._factor, cross, lower=True)
            variances = prior_at_x - np.sum(half * half, axis=0)
        else:
            weights = cho_solve((self._factor, True), cross)
            prior = network.gram(self.X_fit_, None, "nngp")
            to_data = network.gram(self.X_fit_, X, "nngp")
            variances = prior_at_x - 2 * np.sum(weights * to_data, axis=0)
            variances += np.sum(weights * (prior @ weights), axis=0)
        return np.sqrt(np.maximum(variances, 0.0))  # see there why this is no repair


class InfiniteWidthRegressor(RegressorMixin, _InfiniteWidth):
    r"""Least squares by an infinitely wide network.

    ``kernel="ntk"``: the mean, over initialisations, of the network trained by gradient flow on
    ``1/2 |f - y|^2`` plus ``noise/2`` times the squared distance of the parameters from their start;
    ``kernel="nngp"``: the mean of the Bayesian posterior under Gaussian noise of variance ``noise``. Both are

        f(x) = K(x, X) (K(X, X) + noise I)^-1 y

    (Jacot, Gabriel, Hongler 2018; Lee et al. 2018, 2019). The other parameters are those of
    :class:`NTKKernel`. Targets of shape ``(n,)`` or ``(n, k)``. The prior has mean 0: standardise the targets
    (``TransformedTargetRegressor``). Raises :class:`DomainError` (a ``ValueError``) for bad parameters and
    for a matrix that is singular in float64.

    >>> import numpy as np
    >>> from analytic_ntk.sklearn import InfiniteWidthRegressor
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> model = InfiniteWidthRegressor(noise=1e-8).fit(X, [0.0, 1.0, 4.0])
    >>> bool(np.allclose(model.predict(X), [0.0, 1.0, 4.0], atol=1e-5))
    True
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> InfiniteWidthRegressor:
        """Solve for the coefficients: one Cholesky factorisation."""
        rows, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True)
        self._settle(rows, np.asarray(targets, dtype=np.float64))
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Array | tuple[Array, Array]:
        """The mean; with ``return_std`` also a standard deviation ``(n,)``, one for every target.

        For ``"nngp"`` that of the posterior of the function (without the noise of an observation):
        ``S(x,x) - S(x,X) (S + noise)^-1 S(X,x)``. For ``"ntk"`` that of the trained network over its random
        initialisation: with ``B = T(x,X) (T + noise)^-1`` and ``S`` the NNGP,
        ``S(x,x) - 2 B S(X,x) + B S(X,X) B^T`` (Lee et al. 2019, there without noise).

        Kind of answer: float64. The error of a variance is about rounding times the condition number of
        ``K(X, X) + noise I``, relative to ``S(x,x)``; that of the deviation is its square root where the
        variance is no larger. A variance that rounding makes negative is 0: the true one is not negative, so
        this brings it nearer, never farther.
        """
        given = self._new(X)
        mean = self._mean(given)
        return (mean, self._standard_deviation(given)) if return_std else mean

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class InfiniteWidthClassifier(ClassifierMixin, _InfiniteWidth):
    """Classification by regression on labels -1 and 1, one class against the rest; the largest output wins.

    Parameters as :class:`InfiniteWidthRegressor`.

    >>> import numpy as np
    >>> from analytic_ntk.sklearn import InfiniteWidthClassifier
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> InfiniteWidthClassifier(noise=1e-6).fit(X, ["same", "same", "not", "not"]).predict(X)
    array(['same', 'same', 'not', 'not'], dtype='<U4')
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> InfiniteWidthClassifier:
        """Solve for the coefficients: one Cholesky factorisation for all classes."""
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        binarizer = LabelBinarizer(neg_label=-1, pos_label=1).fit(labels)
        if len(binarizer.classes_) < 2:
            raise DomainError("labels of 1 class", "2 classes or more")
        self.classes_ = binarizer.classes_
        targets = binarizer.transform(labels).astype(np.float64)
        self._settle(rows, targets[:, 0] if targets.shape[1] == 1 else targets)
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """The outputs: ``(n,)`` for two classes (positive: the second), else ``(n, classes)``."""
        return self._mean(self._new(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class with the largest output."""
        outputs = self.decision_function(X)
        chosen = (outputs > 0).astype(np.intp) if outputs.ndim == 1 else np.argmax(outputs, axis=1)
        return self.classes_[chosen]
