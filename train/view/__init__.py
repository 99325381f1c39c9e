"""The view head: pictures of every plane, the quality network's features of them, and the head's training."""
