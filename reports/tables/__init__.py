"""Tables of reports: evidence in, a checked `reports.blocks.Table` out."""

from reports.tables.balance import balance_table
from reports.tables.beside import beside_table
from reports.tables.by_country import by_country_table
from reports.tables.contrasts import contrasts_table, factors_table
from reports.tables.data_returns import returns_table
from reports.tables.effect_sizes import effect_sizes_table
from reports.tables.estimates import estimates_table
from reports.tables.flow import flow_table
from reports.tables.glance import outcomes_table
from reports.tables.practice import costs_table, implementation_table
from reports.tables.ratios import categories_table, ratios_table
from reports.tables.sensitivity import sensitivity_table
from reports.tables.signals import signals_table

__all__ = [
    "balance_table",
    "beside_table",
    "by_country_table",
    "categories_table",
    "contrasts_table",
    "costs_table",
    "effect_sizes_table",
    "estimates_table",
    "factors_table",
    "flow_table",
    "implementation_table",
    "outcomes_table",
    "ratios_table",
    "returns_table",
    "sensitivity_table",
    "signals_table",
]
