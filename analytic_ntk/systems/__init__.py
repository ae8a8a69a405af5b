"""The number systems in which the recursion runs: ``Exact``, ``Ball``, ``Float64``, ``Series``."""
