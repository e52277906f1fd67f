"""What holds for every test."""

import signal

# A run that a shell without job control puts into the background ignores Ctrl-C, and so does what it starts:
# tests that send one would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
