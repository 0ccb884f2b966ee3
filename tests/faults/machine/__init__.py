"""The turn under random interleavings: the real conversations, runner, emitter and namespace, moved by a test."""
