"""Reference services: whole backends on real data, each naive and tuned, so that every claim is measured."""
