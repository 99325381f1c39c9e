"""OpenIGTLink messages, read and written."""
