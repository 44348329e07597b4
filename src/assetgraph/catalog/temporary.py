"""Which datasets only pass through: known by the names that tools give to tables of one run."""

import re

#: dbt's failed rows of a test, which most projects never store, and the tables that it swaps in and out.
_PASSING = re.compile(r'(dbt_test__audit"?\.[^.]+|__dbt_(tmp|backup)\w*"?)$')


def is_temporary_name(key: str) -> bool:
    """Tell whether a dataset of this name is one that only passes through."""
    return _PASSING.search(key) is not None
