"""The infinitely wide network: layers composed, and the doors to its kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from flint import arb

from analytic_ntk import gram as _gram
from analytic_ntk.activation import Activation
from analytic_ntk.certify import certify
from analytic_ntk.display import ROWS, axes_for, html_table, markdown_table, plain, short, tidy, typeset
from analytic_ntk.enclosure import Enclosure
from analytic_ntk.errors import DomainError
from analytic_ntk.exact import ExactNumber, exact_number
from analytic_ntk.formula import Definition, KernelFormula, named
from analytic_ntk.layers import Dense, FiniteNetwork, Layer, Nonlinearity, Residual
from analytic_ntk.layers.finite import draw_network
from analytic_ntk.layers.protocol import activations_of, check_sequence
from analytic_ntk.notation import q11, q12, q22, rho
from analytic_ntk.pair import Pair
from analytic_ntk.series import KernelSeries, network_series
from analytic_ntk.systems.ball import Ball
from analytic_ntk.systems.exact import Exact
from analytic_ntk.systems.protocol import Arithmetic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_DEPTH = 10_000


@dataclass(frozen=True)
class KernelValues:
    """Certified values of both kernels at one pair of inputs."""

    nngp: Enclosure
    ntk: Enclosure

    def _repr_html_(self) -> str:
        rows = [("NNGP", self.nngp.decimal(40)), ("NTK", self.ntk.decimal(40))]
        return html_table(("kernel", "certified"), rows)


@dataclass(frozen=True, init=False)
class Network:
    """Layers composed: ``Dense`` first, pre-activations (``Dense``, ``Residual``, ``LayerNorm``) last.

    With ``S(x, y)`` the NNGP kernel and ``T(x, y)`` the NTK, starting from ``<x, y>/d``:

        S_1 = w <x, y>/d + b,                      T_1 = S_1
        S_{l+1} = w E phi(u) phi(v) + b,           T_{l+1} = S_{l+1} + w E phi'(u) phi'(v) T_l

    (NTK parametrisation; Jacot, Gabriel, Hongler 2018; Lee et al. 2019.)

    >>> from analytic_ntk import Network, activations
    >>> network = Network.mlp(activations.relu, depth=1, weight_variance=2, bias_variance=0)
    >>> print(network.at("1", "1/2", "1", digits=20).ntk)
    1.884662228755125382...
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise DomainError("a network without layers", "at least one Dense layer")
        object.__setattr__(self, "layers", tuple(layers))
        if not isinstance(layers[0], Dense):
            raise DomainError(
                f"a network that starts with {type(layers[0]).__name__}",
                "Dense as first layer",
                "the inputs are not Gaussian: put Dense(weight_variance, bias_variance) first",
            )
        if not check_sequence(self.layers, gaussian=False, where="the network"):
            raise DomainError(
                f"a network that ends with {type(layers[-1]).__name__}",
                "Dense (or a sum of such) as last layer",
                "add Dense(weight_variance, bias_variance)",
            )

    @classmethod
    def mlp(
        cls,
        activation: Activation | Sequence[Activation],
        depth: int,
        weight_variance: ExactNumber,
        bias_variance: ExactNumber,
    ) -> Network:
        """The fully connected network with ``depth`` hidden layers (nonlinearities).

        One activation for all, or a sequence of ``depth`` of them, first layer first. Variances, not
        standard deviations, exact numbers >= 0. Raises :class:`DomainError` otherwise.
        """
        if isinstance(depth, bool) or not isinstance(depth, int) or not 1 <= depth <= MAX_DEPTH:
            raise DomainError(
                f"depth = {depth!r}",
                f"an integer from 1 to {MAX_DEPTH}",
                "depth counts nonlinearities; a linear network is Network(Dense(w, b))",
            )
        if isinstance(activation, Activation):
            chosen: Sequence[Activation] = [activation] * depth
        else:
            chosen = list(activation)
            if len(chosen) != depth:
                raise DomainError(
                    f"{len(chosen)} activations at depth {depth}", "one activation per hidden layer"
                )
        layers: list[Layer] = [Dense(weight_variance, bias_variance)]
        for phi in chosen:
            layers += [Nonlinearity(phi), Dense(weight_variance, bias_variance)]
        return cls(*layers)

    @property
    def activations(self) -> tuple[Activation, ...]:
        """Every activation of the network, in order, those of residual branches included."""
        return activations_of(self.layers)

    def push(self, pair: Pair, arithmetic: Arithmetic) -> Pair:
        """Run the recursion on a pair of inputs in a number system."""
        for layer in self.layers:
            pair = layer.push(pair, arithmetic)
        return pair

    def formula(self, on: str | None = None) -> KernelFormula:
        """NNGP and NTK as exact expressions.

        In ``q11 = <x, x>/d``, ``q22 = <y, y>/d``, ``q12 = <x, y>/d``; with ``on="sphere"`` in ``rho`` for
        inputs with ``<x, x>/d = <y, y>/d = 1`` and ``<x, y>/d = rho``. Symbolic parameters survive. Where
        a layer's covariances grow long they get names, listed in ``formula.where``.
        """
        if on == "sphere":
            one = sp.S.One
            pair = Pair(one, one, rho, sp.S.Zero)
            variables: tuple[sp.Symbol, ...] = (rho,)
        elif on is None:
            pair, variables = Pair(q11, q22, q12, sp.S.Zero), (q11, q22, q12)
        else:
            raise DomainError(f"on = {on!r}", 'None (general covariance) or "sphere"')
        where: list[Definition] = []
        for index, layer in enumerate(self.layers):
            pair = layer.push(pair, Exact())
            if index + 1 < len(self.layers):
                pair, definitions = named(pair, index)
                where += definitions
        return KernelFormula(_neat(pair.q12), _neat(pair.ntk), variables, tuple(where))

    def at(self, xx: ExactNumber, xy: ExactNumber, yy: ExactNumber, digits: int = 30) -> KernelValues:
        """Certified NNGP and NTK for the input covariance ``<x,x>/d, <x,y>/d, <y,y>/d`` (exact numbers).

        Both enclosures hold ``digits`` certain decimal digits (a value that cannot be told from 0: radius
        at most ``10^-digits sqrt(S(x,x) S(y,y))``). Raises :class:`DomainError` for floats and for a
        covariance that is not positive semidefinite, :class:`PrecisionError` (with what was reached) where
        the digits cannot be had.
        """
        a, c, b = (exact_number(v, name) for v, name in ((xx, "xx"), (xy, "xy"), (yy, "yy")))
        for phi in self.activations:
            phi.require_numeric()
        for value, name in ((a, "xx"), (c, "xy"), (b, "yy")):
            if value.free_symbols:
                raise DomainError(f"{name} = {value}", "a number", "use Network.formula for symbols")
        _require_semidefinite(a, b, c)

        def compute() -> tuple[tuple[arb, ...], arb]:
            result = self.push(ball_pair(a, c, b), Ball())
            return (result.q12, result.ntk), (result.q11 * result.q22).sqrt()

        nngp, ntk = certify(compute, digits, "the kernels")
        return KernelValues(nngp, ntk)

    def certified(self, x: Sequence[ExactNumber], y: Sequence[ExactNumber], digits: int = 30) -> KernelValues:
        """Certified NNGP and NTK at two inputs with exact coordinates; see :meth:`at`."""
        first = [exact_number(v, f"x[{i}]") for i, v in enumerate(x)]
        second = [exact_number(v, f"y[{i}]") for i, v in enumerate(y)]
        if not first or len(first) != len(second):
            raise DomainError(
                f"inputs of lengths {len(first)} and {len(second)}", "two vectors of one length >= 1"
            )

        def product(one: list[sp.Expr], other: list[sp.Expr]) -> sp.Expr:
            return sp.Add(*(p * q for p, q in zip(one, other, strict=True))) / len(one)

        return self.at(product(first, first), product(first, second), product(second, second), digits)

    def gram(
        self,
        X: Any,
        Y: Any = None,
        kernel: str = "ntk",
        progress: bool = False,
        chunks: int | None = None,
        values: Mapping[str, Any] | None = None,
        largest_variance: float | None = None,
    ) -> Any:
        """Float64 (or float32) kernel matrices, ``(n, d), (m, d) -> (n, m)``; see
        :func:`analytic_ntk.gram.gram`.

        Arrays of torch, jax and other libraries give arrays of theirs, on their device and inside their
        autograd; ``values`` then gives the variances that are symbols, by name, and ``largest_variance`` is
        for traced code; see :func:`analytic_ntk.gram.arrays.gram_on_arrays`.

        With ``chunks`` (a multiple of 1024) a lazy Dask array in blocks of ``chunks`` rows and columns; see
        :func:`analytic_ntk.large.lazy.lazy`.
        """
        if chunks is None:
            return _gram.gram(self.layers, X, Y, kernel, progress, values, largest_variance)
        from analytic_ntk.large.blocks import blocks_of
        from analytic_ntk.large.lazy import lazy

        if values is not None or largest_variance is not None:
            raise DomainError("chunks with values or largest_variance", "one or the other")
        if progress:
            raise DomainError("progress of a lazy array", "progress=False", "use dask's ProgressBar")
        return lazy(blocks_of(self.layers, X, Y, kernel, chunks))

    def plot(self, axes: Axes | None = None) -> Axes:
        """NNGP and NTK over the correlation ``rho`` of inputs with ``<x, x>/d = 1``, in float64.

        Raises as :meth:`gram`, which computes them.
        """
        axes = axes_for(axes)
        angles = np.linspace(np.pi, 0.0, 201)
        inputs = np.sqrt(2.0) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        for name in ("nngp", "ntk"):
            axes.plot(np.cos(angles), self.gram(inputs, inputs[-1:], kernel=name)[:, 0], label=name.upper())
        axes.set(
            xlabel=r"correlation $\rho$ of the inputs",
            ylabel="kernel (float64)",
            title=", ".join(dict.fromkeys(map(str, self.activations))),
        )
        return tidy(axes)

    def _repr_markdown_(self) -> str:
        count = len(self.activations)
        words = "1 nonlinearity" if count == 1 else f"{count} nonlinearities"
        rows = [(type(layer).__name__, _described(layer)) for layer in self.layers[:ROWS]]
        if self.layers[ROWS:]:
            rows.append(("...", f"and {len(self.layers) - ROWS} more layers"))
        return markdown_table(f"**Network** in the limit of infinite width, {words}", rows)

    def series(self, order: int, digits: int = 30, variance: ExactNumber = 1) -> KernelSeries:
        """Power series of NNGP and NTK in ``rho`` for inputs with ``<x, x>/d = variance``; see
        :func:`analytic_ntk.series.network_series`."""
        return network_series(self.layers, order, digits, variance)

    def sample(
        self,
        widths: int | Sequence[int],
        rng: np.random.Generator,
        input_dim: int,
        outputs: int | None = None,
        parametrisation: str = "ntk",
    ) -> FiniteNetwork:
        """A network of finite width, its parameters drawn at random.

        ``widths``: one number for all hidden layers, with ``outputs`` (default 1) for a last ``Dense``; or a
        list, one for each ``Dense`` layer in order, those in branches included, the last being the outputs.
        ``parametrisation="ntk"``: parameters are standard normal and the variances are factors.
        ``"standard"``: factors are 1, weights have variance ``weight_variance / fan_in`` and biases
        ``bias_variance``: the same random functions, with other derivatives. A ``Dense`` with bias variance 0
        has no bias. Raises :class:`DomainError` for widths < 1 or too few, symbolic variances or parameters.

        >>> import numpy as np
        >>> from analytic_ntk import Network, activations
        >>> network = Network.mlp(activations.tanh, depth=2, weight_variance=1, bias_variance="1/10")
        >>> finite = network.sample([64, 32, 2], np.random.default_rng(0), input_dim=3)
        >>> finite.size, finite(np.eye(3)).shape
        (2402, (3, 2))
        """
        return draw_network(self.layers, widths, rng, input_dim, outputs, parametrisation)


def _described(layer: Layer) -> str:
    """A layer in Markdown."""
    if isinstance(layer, Dense):
        shown = (sp.latex(exact_number(v, "variance")) for v in (layer.weight_variance, layer.bias_variance))
        weight, bias = map(typeset, shown)
        return f"weight variance {weight}, bias variance {bias}"
    if isinstance(layer, Nonlinearity):
        phi = layer.activation
        name = f"{plain(phi.name)}: " if phi.name else ""
        return name + (typeset(rf"\varphi(x) = {phi.latex()}") or plain(short(phi.expression)))
    if isinstance(layer, Residual):
        return "adds " + ", then ".join(
            f"{type(inner).__name__}: {_described(inner)}" for inner in layer.branch
        )
    return plain(short(layer))


def require_network(given: object) -> None:
    """Raise :class:`DomainError` unless this is a :class:`Network`: an activation alone has no depth."""
    if not isinstance(given, Network):
        raise DomainError(
            f"network = {given!r}"[:100],
            "a Network",
            "Network.mlp(activation, depth, weight_variance, bias_variance)",
        )


def ball_pair(a: sp.Expr, c: sp.Expr, b: sp.Expr) -> Pair:
    """The inputs' covariance ``[[a, c], [c, b]]`` (exact numbers) in balls at the working precision."""
    ball = Ball()
    det = sp.expand(a * b - c * c)
    collinear = bool(det.is_zero or sp.simplify(det) == 0)
    first = ball.number(a)
    second = first if a == b else ball.number(b)
    cross = first if a == b == c else ball.number(c)
    gap = arb(0) if collinear else (first * second).sqrt() - abs(cross)
    return Pair(first, second, cross, arb(0), gap)


def _neat(expression: sp.Expr) -> sp.Expr:
    """Common factors in front, unless the expression is too long for anyone to read."""
    return sp.factor_terms(expression) if sp.count_ops(expression) < 2_000 else expression


def _require_semidefinite(a: sp.Expr, b: sp.Expr, c: sp.Expr) -> None:
    for value, name in ((a, "xx"), (b, "yy")):
        if not value.is_nonnegative:
            raise DomainError(f"{name} = {value}", "a squared norm >= 0")
    det = sp.expand(a * b - c * c)
    if not (det.is_nonnegative or sp.simplify(det).is_nonnegative):
        raise DomainError(
            f"covariance xx = {a}, xy = {c}, yy = {b}",
            "xy^2 <= xx*yy (Cauchy-Schwarz)",
            "check the order: xx, xy, yy",
        )
