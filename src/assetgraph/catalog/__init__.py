"""Sources, datasets, versions, fields, tags, owners."""
