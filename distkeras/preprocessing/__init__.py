"""From raw tables to normalized features: which file to open for which change.

========================================  =================
What is to change                         File
========================================  =================
a config key, its default or its check    spec.py
a file format, how files become views     sources.py
which files count, by their names         files.py
the rows of files without Spark           batches.py
how the type of a CSV column is found     csv_types.py
what a cell means: number, missing, name  cells.py, rows.py
which column is a feature                 roles.py
who trains and who tests                  splits.py
what is measured on the training split    measure.py
what follows from what was measured       fit.py
a fitted column; scoring without Spark    preprocessor.py
the same features as Spark SQL            expressions.py, sql.py
how train/ and test/ are written          write.py
what manifest.json says                   manifest.py
how far a day is from those before it     drift.py, profiles.py
how a Spark failure becomes one line      failures.py
what the session is set to meanwhile      settings.py
the order of all this                     run.py
========================================  =================

``spec``, ``preprocessor``, ``rows``, ``files``, ``batches`` and ``drift`` never import pyspark.
"""
