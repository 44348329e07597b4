"""The change log: every committed change, in commit order, hash-chained."""
