"""The models that a wheel does not hold: what is published, and how it comes here."""
