"""What is found on a scanner's screen: sector, depth scale, kind of screen; saved profiles."""
