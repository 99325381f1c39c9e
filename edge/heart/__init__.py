"""What a segmented frame says about the heart: regions, measurements, beats, view, and what must be withheld."""
