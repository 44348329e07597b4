"""Recommendations: computed from a model version, never stored."""
