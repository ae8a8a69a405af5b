"""``python -m analytic_ntk.cli``."""

from analytic_ntk.cli import main

if __name__ == "__main__":
    main()
