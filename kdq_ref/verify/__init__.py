"""Which bit is right, and why: dialects of runtimes, the runtimes themselves, and their judge."""
