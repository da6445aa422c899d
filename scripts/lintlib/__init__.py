"""The checks behind scripts/lint.py."""
