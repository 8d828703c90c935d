"""Tests of the sample workload in scripts/: run `pytest tests/workload` from the root."""
