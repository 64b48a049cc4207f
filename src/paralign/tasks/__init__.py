"""Tasks: data, a head, a score. One file each."""

from paralign.tasks.base import Score, Task, find_task

__all__ = ["Score", "Task", "find_task"]
