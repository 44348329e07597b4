"""Preparation: a table becomes a cleaned one by stated rules, mapped to dense ids and split; no SQL, no web."""
