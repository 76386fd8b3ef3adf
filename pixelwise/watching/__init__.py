"""Watching a served model: what it sees and says, compared with the accepted data."""
