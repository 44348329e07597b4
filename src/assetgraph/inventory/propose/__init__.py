"""Models that propose what columns mean and what assets are: an embedded one, and an endpoint; both are optional."""
