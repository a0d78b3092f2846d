"""Speed and memory, always side by side with something else in the same run."""
