"""What datasets are to a search and recommendation business; reading files needs it, and no database."""

from enum import StrEnum


class DatasetRole(StrEnum):
    """What a dataset is to search and recommendation."""

    USER_BEHAVIOUR = "USER_BEHAVIOUR"
    ITEM_CATALOGUE = "ITEM_CATALOGUE"
    TRANSACTION = "TRANSACTION"
    SEARCH_QUERY = "SEARCH_QUERY"
    EXPOSURE = "EXPOSURE"
    USER_PROFILE = "USER_PROFILE"
    SOCIAL_GRAPH = "SOCIAL_GRAPH"
    PROMOTION = "PROMOTION"
    FEATURE = "FEATURE"
    FEEDBACK = "FEEDBACK"
    OTHER = "OTHER"
