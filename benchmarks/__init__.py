"""Timings of the library beside its peers; `python -m benchmarks.run` makes all of them."""
