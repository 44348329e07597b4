"""Row of a measured number."""

from datetime import datetime

from sqlalchemy import Column, Float, ForeignKey, Index, String, Text
from sqlmodel import Field, SQLModel

from assetgraph.db.table import Key, UtcDateTime, table


class Metric(SQLModel, table=True):
    """A number measured of an asset (a version, a run, a model version), maybe of one of its fields."""

    __tablename__ = "metric"
    __table_args__ = (Index("ix_metric_asset", "asset_id", "name", "id"),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    name: str = Field(sa_column=Column(String(200), nullable=False))
    field: str | None = Field(default=None, sa_column=Column(Text))
    value: float = Field(sa_column=Column(Float, nullable=False))
    is_exact: bool = Field(default=True)
    measured_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


METRIC = table(Metric)
