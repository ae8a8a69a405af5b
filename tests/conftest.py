"""What all tests share: reproducible hypothesis runs, independent of the machine's speed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")


@pytest.fixture(autouse=True, scope="session")
def _one_thread_for_linear_algebra() -> Iterator[None]:
    """Small matrices wait for threads much longer than they compute, and the tests are already spread out."""
    import_module("scipy.linalg")  # a library can be limited once it is loaded
    with threadpool_limits(1, user_api="blas"):
        yield
