"""Whether something computes what it should."""
