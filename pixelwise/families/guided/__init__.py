"""The guided family: a few annotations define the task (thesis chapter 4)."""
