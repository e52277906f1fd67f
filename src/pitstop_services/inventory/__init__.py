"""The inventory: stores, products, current stock and transactions of a real bicycle maker's sample company.

``models queries naive tuned api`` are the backend, ``structure seed migrations`` make its database,
``load forms`` say how it is measured. ``pitstop serve inventory`` runs it.
"""
