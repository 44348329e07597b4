"""The one way to SQL."""
