"""Errors that a user can mend. The command line prints their message as one line and exits with code 2.

EchoEdgeError
├── SourceError       an input that cannot be opened or read
├── ModelError        a model folder, manifest or artefact that must not be loaded
├── BackendError      no inference engine for this model on this machine
├── DataError         a data set that is not laid out as documented
├── TrainingError     a training run that cannot go on
├── UpdateError       a release bundle or slot that must not be used
├── InstallationError EchoEdge's own files, or a package it needs, are damaged or shadowed
└── MissingExtraError a feature whose optional packages are not installed
"""

from __future__ import annotations


class EchoEdgeError(Exception):
    """Base of every error whose message says what was found, what was expected and what to do."""


class SourceError(EchoEdgeError):
    """An input that cannot be opened or read."""


class ModelError(EchoEdgeError):
    """A model folder, manifest or artefact that must not be loaded."""


class BackendError(EchoEdgeError):
    """No inference engine for this model on this machine."""


class DataError(EchoEdgeError):
    """A data set that is not laid out as documented."""


class TrainingError(EchoEdgeError):
    """A training run that cannot go on."""


class UpdateError(EchoEdgeError):
    """A release bundle or slot that must not be used."""


class InstallationError(EchoEdgeError):
    """EchoEdge's own files, or a package it needs, are damaged or shadowed."""


class MissingExtraError(EchoEdgeError):
    """A feature whose optional packages are not installed; `package` is the one that was looked for, where known."""

    def __init__(self, feature: str, extra: str, package: str = "") -> None:
        missing = f"{package}, which is not installed" if package else "packages that are not installed"
        super().__init__(f"{feature} needs {missing}: pip install 'echoedge[{extra}]'")
