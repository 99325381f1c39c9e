"""The stages of the frame loop, each on a thread of its own, joined by mailboxes."""
