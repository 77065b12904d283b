"""Figures of reports: evidence in, a `reports.blocks.Figure` out, drawn with matplotlib when it is asked for."""

from reports.figures.flow import flow_diagram
from reports.figures.forest import forest_plot
from reports.figures.love import love_plot
from reports.figures.power import Curve, mdes_plot, power_plot
from reports.figures.shares import shares_plot

__all__ = ["Curve", "flow_diagram", "forest_plot", "love_plot", "mdes_plot", "power_plot", "shares_plot"]
