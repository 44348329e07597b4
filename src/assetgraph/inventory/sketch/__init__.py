"""Complete profiles in one pass: mergeable states per column, a compiled kernel that fills them, and its plain twin."""
