"""Bad bytes in numbers: the same frames for atheris, by the million, and for the test suite.

``making`` writes frames out of choices, ``parser`` and ``target`` send them and know what must
come back. Where the choices come from is the one difference: a seeded generator in
``tests/transport/test_many_bad_bytes.py``, atheris' coverage-guided bytes in ``python -m
tests.fuzz`` (``make fuzz``). It stands here and not in ``scripts/`` because it is a test: it uses
the tests' model and peers, and each finding becomes a test beside them.
"""
