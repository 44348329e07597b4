"""Jobs and runs as nodes, edges, walks."""
