"""Retraining every night: a day is looked at, a model trained, compared, and promoted or not."""
