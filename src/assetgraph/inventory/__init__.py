"""Inventory: finding data files, profiling them, fingerprinting their content, and the scans that register them."""
