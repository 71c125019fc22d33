import pytest

# The checks' asserts tell what they compared, as those of a test file do.
pytest.register_assert_rewrite("tests.rules.contract")
