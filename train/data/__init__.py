"""Data sets, each behind one `KIND:FOLDER` name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from edge.errors import DataError
from train.data.camus import read_camus, read_camus_sequences
from train.data.cetus import read_cetus
from train.data.echonet import read_echonet
from train.data.folder import read_folder
from train.data.sample import Sample
from train.data.synthetic import read_synthetic

READERS: dict[str, Callable[[Path, Iterable[str] | None], Iterator[Sample]]] = {
    "camus": read_camus,
    "camus-sequence": read_camus_sequences,
    "cetus": read_cetus,
    "echonet": read_echonet,
    "echonet-train": partial(read_echonet, split="TRAIN"),
    "echonet-val": partial(read_echonet, split="VAL"),
    "echonet-test": partial(read_echonet, split="TEST"),
    "folder": read_folder,
    "synth": read_synthetic,
    "synth-wide": partial(read_synthetic, wide=True),
}


def open_data(place: str, patients: Iterable[str] | None = None) -> Iterator[Sample]:
    """Samples of `KIND:FOLDER`, all patients or those named. Raises DataError for an unknown kind."""
    kind, _, folder = place.partition(":")
    if kind not in READERS or not folder:
        raise DataError(f"'{place}' is not a data set; write KIND:FOLDER with KIND one of {', '.join(READERS)}")
    return READERS[kind](Path(folder), patients)
