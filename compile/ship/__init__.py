"""Signatures and release bundles."""
