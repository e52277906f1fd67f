"""What ``pitstop run`` puts into a foreign process, and how it gets there.

``launch`` prepends ``hook/`` to the ``PYTHONPATH`` of the command; Python imports the ``sitecustomize``
in it at the start of every process; that calls ``activate``, which waits for the imports of SQLAlchemy
and of web servers and hooks into them when they come. This package imports no third party by itself:
it is loaded into every Python process below the command.
"""

from pitstop.bootstrap.activate import activate
from pitstop.bootstrap.launch import environment, launch

__all__ = ["activate", "environment", "launch"]
