"""The separate process that runs yt-dlp, and the worker's side of it."""

from worker.child.client import Child, ChildCrashed
from worker.child.server import ChildServer
from worker.child.warm import NoChild

__all__ = ["Child", "ChildCrashed", "ChildServer", "NoChild"]
