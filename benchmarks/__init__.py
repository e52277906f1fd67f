"""Races against peers and limits; each prints a table and can be repeated with one command."""
