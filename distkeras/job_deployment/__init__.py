"""Jobs for a Punchcard server: sent from anywhere, watched, and fetched when they have ended."""

from distkeras.job_deployment.job import Job

__all__ = ["Job"]
