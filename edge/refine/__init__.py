"""Second contours of key frames with their uncertainty."""
