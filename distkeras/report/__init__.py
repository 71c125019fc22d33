"""One HTML page: how good a model is and what made it, which of several is best, how nights went.

``write_report``, ``write_comparison``, ``write_search`` and ``write_trend`` need neither Spark nor
Keras: they take the measures, the history and the manifests that the tasks have written.
"""

from __future__ import annotations

from distkeras.report.comparison import write_comparison
from distkeras.report.page import write_report
from distkeras.report.search import Axis, Candidate, Quest, write_search
from distkeras.report.standings import Competitor
from distkeras.report.trend import write_trend

__all__ = [
    "Axis",
    "Candidate",
    "Competitor",
    "Quest",
    "write_comparison",
    "write_report",
    "write_search",
    "write_trend",
]
