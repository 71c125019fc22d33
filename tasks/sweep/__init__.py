"""A search of an experiment's keys, with optuna; trainings that are behind are stopped."""
