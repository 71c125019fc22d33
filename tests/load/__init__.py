"""Many light workers on one server, for long: ``make soak``, and half a minute of it in the suite.

The server runs in a process of its own, so that its memory is nobody else's; the workers, plain
threads that hold a small vector, in a few others.
"""
