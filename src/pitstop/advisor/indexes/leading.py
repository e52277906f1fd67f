"""Whether an advised index is also the one that a foreign key lacks."""

__all__ = ["leads_with"]


def leads_with(ddl: str, wanted: str) -> bool:
    """Whether an index is whole and begins with the columns of another one.

    Args:
        ddl: of the advised index.
        wanted: of the other one, as :attr:`pitstop.postgres.catalog.ForeignKey.ddl` writes it.
    """
    told = ddl.replace(" public.", " ")
    begins = f" ON {wanted.partition(' ON ')[2].rstrip(')')}"
    return " WHERE " not in told and any(f"{begins}{end}" in told for end in (",", ")", " DESC"))
