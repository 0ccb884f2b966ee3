"""Test doubles that speak other people's protocols over real sockets."""
