"""Builders of small real worlds for the tests."""
