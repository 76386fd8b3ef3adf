"""Serve a clockwork over HTTP: sessions of frames."""
