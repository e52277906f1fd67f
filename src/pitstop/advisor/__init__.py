"""The advisor: evidence in, findings out; and the fixes of the source that findings ask for."""
