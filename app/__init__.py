"""The chat server's application: everything that is not the socket (that is `ws`)."""

__version__ = "0.1.0"
