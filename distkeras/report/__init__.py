"""One HTML page that says how good a model is and what made it.

``write_report`` needs neither Spark nor Keras: it takes the measures, the history and the
manifests that the tasks have written.
"""

from __future__ import annotations

from distkeras.report.page import write_report

__all__ = ["write_report"]
