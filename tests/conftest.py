"""What all tests share: reproducible hypothesis runs, independent of the machine's speed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import scipy.linalg  # noqa: F401  (its library of linear algebra must be loaded to be limited)
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")


@pytest.fixture(autouse=True, scope="session")
def _one_thread_for_linear_algebra() -> Iterator[None]:
    """Small matrices wait for threads much longer than they compute, and the tests are already spread out."""
    with threadpool_limits(1, user_api="blas"):
        yield
