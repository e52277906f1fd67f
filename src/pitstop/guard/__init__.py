"""The pytest plugin that holds tests to a number of statements and fails them on an N+1.

Its faces are marks, options and the fixture ``queries``, not imports: pytest loads ``pitstop.guard.plugin``.
"""
