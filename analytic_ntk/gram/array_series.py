"""Sums ``sum_n T_n(t) left core_n right^T`` on arrays, with rules for autograd.

Differentiated step by step, a recurrence leaves each of its steps in memory. The derivatives of a polynomial
are polynomials: the rules compute these, in torch and in jax, to any order, forwards and backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebder

from analytic_ntk.errors import DomainError
from analytic_ntk.gram.array_tools import device_of, library_of, product
from analytic_ntk.layers.arrays import Array, namespace


def clenshaw(coefficients: Array, t: Array, addend: Callable[[Array], Array]) -> Array:
    """``sum_k T_k(t) addend(coefficients[k])``: a loop of the library, so that traced code stays small."""
    count = coefficients.shape[0]
    if count == 1:
        return addend(coefficients[0, ...]) + 0.0 * t
    double = 2.0 * t
    one = addend(coefficients[count - 1, ...]) + 0.0 * t
    two = 0.0 * one
    if library_of(t) == "jax":
        from jax.lax import scan

        def step(state: tuple[Array, Array], chosen: Array) -> tuple[tuple[Array, Array], None]:
            return (addend(chosen) + (double * state[0] - state[1]), state[0]), None

        (one, two), _ = scan(step, (one, two), coefficients[1:-1][::-1])
    else:
        for k in range(count - 2, 0, -1):
            one, two = addend(coefficients[k, ...]) + (double * one - two), one
    return addend(coefficients[0, ...]) + (t * one - two)


def along(table: Array, y: Array) -> Array:
    """``sum_k T_k(y) table_k`` for a vector ``y``, with the columns of the table if it has some."""
    if table.ndim == 1:
        return clenshaw(table, y, lambda number: number)
    return clenshaw(table, y[:, None], lambda row: row[None, :])


def evaluate(core: Array, left: Array, right: Array, t: Array) -> Array:
    """``(n, m)`` from ``core`` ``(terms, rank, rank)``, ``left`` ``(n, rank)``, ``right`` ``(m, rank)`` and
    ``t`` ``(n, m)``; ``core`` is a constant. Of rank 1 (norms do not matter, or hardly) it is a product."""
    if core.shape[0] == 0:
        return 0.0 * t
    xp, library = namespace(t), library_of(t)
    left = xp.broadcast_to(left, (t.shape[0], left.shape[1]))  # of one norm there is one row
    right = xp.broadcast_to(right, (t.shape[1], right.shape[1]))
    rule = _torch_rule() if library == "torch" else _jax_rule() if library == "jax" else _plain
    value = rule(core, left, right, t)
    return value * (left * right.mT) if core.shape[1] == 1 else value


def _plain(core: Array, left: Array, right: Array, t: Array) -> Array:
    if core.shape[1] == 1:
        return clenshaw(core[:, 0, 0], t, lambda number: number)
    return clenshaw(product(left[None, ...], core), t, lambda side: product(side, right.mT))


def _slope(core: Array) -> Array:
    """The coefficients of the derivative in ``t``."""
    xp, count = namespace(core), core.shape[0]
    if count == 1:
        return 0.0 * core
    matrix = xp.asarray(chebder(np.eye(count)), dtype=core.dtype, device=device_of(core))
    return xp.reshape(product(matrix, xp.reshape(core, (count, -1))), (count - 1, *core.shape[1:]))


@lru_cache(maxsize=1)
def _jax_rule() -> Callable[[Array, Array, Array, Array], Array]:
    import jax

    rule = jax.custom_jvp(_plain)

    @rule.defjvp
    def derivative(given: tuple[Array, ...], moves: tuple[Array, ...]) -> tuple[Array, Array]:
        core, left, right, t = given
        _, on_left, on_right, on_t = moves
        value, change = rule(*given), rule(_slope(core), left, right, t) * on_t
        if core.shape[1] > 1:
            change = change + rule(core, on_left, right, t) + rule(core, left, on_right, t)
        return value, change

    return rule


@lru_cache(maxsize=1)
def _torch_rule() -> Callable[[Array, Array, Array, Array], Array]:
    import torch

    class Rule(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(core: Array, left: Array, right: Array, t: Array) -> Array:
            return _in_place(core, left, right, t)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Array, ...], output: Array) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def jvp(ctx: Any, _: Any, on_left: Any, on_right: Any, on_t: Any) -> Array:
            core, left, right, t = ctx.saved_tensors
            change = torch.zeros_like(t)
            if on_t is not None:
                change = change + Rule.apply(_slope(core), left, right, t) * on_t
            if on_left is not None and core.shape[1] > 1:
                change = change + Rule.apply(core, on_left, right, t)
            if on_right is not None and core.shape[1] > 1:
                change = change + Rule.apply(core, left, on_right, t)
            return change

        @staticmethod
        def backward(ctx: Any, upstream: Array) -> tuple[Any, ...]:
            core, left, right, t = ctx.saved_tensors
            on_t = upstream * Rule.apply(_slope(core), left, right, t) if ctx.needs_input_grad[3] else None
            if core.shape[1] == 1 or not (ctx.needs_input_grad[1] or ctx.needs_input_grad[2]):
                return None, None, None, on_t
            return None, *_transposed(core, left, right, t, upstream), on_t

    return Rule.apply


def _in_place(core: Array, left: Array, right: Array, t: Array) -> Array:
    """:func:`_plain` in torch, where autograd does not look."""
    import torch

    scalar, count = core.shape[1] == 1, core.shape[0]
    sides, other, double = core[:, 0, 0] if scalar else left @ core, right.mT, 2.0 * t

    def plus(total: Array, side: Array) -> Array:
        return total.add_(side) if scalar else torch.addmm(total, side, other)

    one = plus(0.0 * t, sides[count - 1])
    if count == 1:
        return one
    two = 0.0 * one
    for k in range(count - 2, 0, -1):
        one, two = plus((double * one).sub_(two), sides[k]), one
    return plus((t * one).sub_(two), sides[0])


def _transposed(core: Array, left: Array, right: Array, t: Array, upstream: Array) -> tuple[Array, Array]:
    """What reaches ``left`` and ``right`` from ``(n, m)`` upstream, ``T_n`` being made as they are used."""
    on_left, on_right = 0.0 * left, 0.0 * right
    above, here = t * upstream, upstream  # T_(n+1) and T_n, times upstream
    double = 2.0 * t
    for k in range(core.shape[0]):
        on_left = on_left + (here @ right) @ core[k].mT
        on_right = on_right + (here.mT @ left) @ core[k]
        above, here = double * above - here, above
    return on_left, on_right


def differentiated_once(value: Array) -> Array:
    """The array itself, for formulas whose first derivatives in it are right and no others: asked for a
    second one, autograd raises :class:`DomainError`."""
    library = library_of(value)
    rule = _torch_once() if library == "torch" else _jax_once() if library == "jax" else None
    return value if rule is None else rule(value)


def _no_second_derivative() -> DomainError:
    return DomainError(
        "a second derivative of a kernel that is known at one norm only (breakpoints off 0, large variances)",
        "first derivatives",
    )


@lru_cache(maxsize=1)
def _jax_once() -> Callable[[Array], Array]:
    import jax

    @jax.custom_jvp
    def unit(value: Array) -> Array:
        return jax.numpy.ones_like(value)

    @unit.defjvp
    def refuse(given: tuple[Array, ...], moves: tuple[Array, ...]) -> tuple[Array, Array]:
        raise _no_second_derivative()

    @jax.custom_jvp
    def once(value: Array) -> Array:
        return value

    @once.defjvp
    def derivative(given: tuple[Array, ...], moves: tuple[Array, ...]) -> tuple[Array, Array]:
        return once(given[0]), unit(given[0]) * moves[0]

    return once


@lru_cache(maxsize=1)
def _torch_once() -> Callable[[Array], Array]:
    import torch

    class Unit(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(value: Array) -> Array:
            return torch.ones_like(value)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Array, ...], output: Array) -> None:
            pass

        @staticmethod
        def jvp(ctx: Any, *moves: Array) -> Array:
            raise _no_second_derivative()

        @staticmethod
        def backward(ctx: Any, *upstream: Array) -> Array:
            raise _no_second_derivative()

    class Once(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(value: Array) -> Array:
            return value.clone()

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Array, ...], output: Array) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def jvp(ctx: Any, move: Array) -> Array:
            return Unit.apply(*ctx.saved_tensors) * move

        @staticmethod
        def backward(ctx: Any, upstream: Array) -> Array:
            return Unit.apply(*ctx.saved_tensors) * upstream

    return Once.apply
