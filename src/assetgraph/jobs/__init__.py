"""The durable queue over runs: enqueue, claim, beat, finish, take over."""
