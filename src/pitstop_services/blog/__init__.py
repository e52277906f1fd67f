"""The blog: users, posts and comments on the structure of a real Stack Exchange site.

``models queries naive tuned cached api`` are the backend, ``structure text seed migrations`` make its
database, ``load forms`` say how it is measured. ``pitstop serve blog`` runs it.
"""
