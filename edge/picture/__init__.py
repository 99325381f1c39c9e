"""Everything that is drawn: overlay, curves, insets, charts."""
