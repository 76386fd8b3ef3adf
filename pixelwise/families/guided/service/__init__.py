"""Serve a guided model over HTTP: pictures with guidance, and sessions of clicks."""
