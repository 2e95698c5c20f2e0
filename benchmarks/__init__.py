"""What is measured, and against what. Ratios come from one run, side by side, so that a noisy machine cancels out."""
