"""Metrics of versions, runs and models."""
