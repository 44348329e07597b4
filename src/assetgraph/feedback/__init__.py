"""What people did with recommendations, and its export as a dataset version."""
