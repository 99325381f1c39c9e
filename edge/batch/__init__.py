"""Many recordings in one call: found, analysed one after the other, and reported a study at a time."""
