"""Benchmarks against baselines. Ratios come from alternating measurements in one run, so machine noise cancels."""

"""Benchmarks against baselines. Ratios come from alternating measurements in one run, so machine noise cancels."""
