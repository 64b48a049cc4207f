"""Tasks: they read data, decode and score; most train a head. One file each."""

from paralign.tasks.base import Score, Task, find_task

__all__ = ["Score", "Task", "find_task"]
