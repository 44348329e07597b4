"""The durable queue over runs: enqueue, lease, beat, finish, take over."""
