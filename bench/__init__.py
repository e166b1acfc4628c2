"""The instrument: measures any Paddle model and reports what was found.

Importing this package, reading suites and making reports need no Paddle; only `subjects`, `engines`,
`metrics` and `worker` import it, each when it is used.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
