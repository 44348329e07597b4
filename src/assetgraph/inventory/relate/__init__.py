"""Relations between datasets: keys, foreign keys, columns that join, near-duplicates; no SQL, no web."""
