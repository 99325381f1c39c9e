"""Patient-disjoint splits: every frame of a patient is on one side, and a split that is not so is refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np

from edge.errors import DataError

VALID_SHARE = 0.1
"""The PSPNet-MK paper's 9:1."""


class OfPatient(Protocol):
    """A frame or a clip."""

    @property
    def patient(self) -> str: ...


Item = TypeVar("Item", bound=OfPatient)


def require_disjoint(training: Iterable[str], validation: Iterable[str]) -> None:
    """Raise DataError, naming them, when patients occur on both sides."""
    both = sorted(set(training) & set(validation))
    if both:
        raise DataError(
            f"{len(both)} patients are in both training and validation: {', '.join(both[:5])}; keep each on one side"
        )


def draw_patients(patients: Iterable[str], seed: int, share: float = VALID_SHARE) -> set[str]:
    """A seeded share of the patients (at least one) for validation; independent of the order they come in."""
    names = sorted(set(patients))
    if len(names) < 2:
        raise DataError(f"{len(names)} patients cannot be split in two; training needs at least 2")
    count = max(1, round(len(names) * share))
    return {names[k] for k in np.random.default_rng(seed).permutation(len(names))[:count]}


def fold_patients(patients: Iterable[str], count: int, seed: int) -> list[set[str]]:
    """The held-out patients of each of `count` folds of a cross-validation: seeded, every patient in exactly one."""
    names = sorted(set(patients))
    if not 2 <= count <= len(names):
        raise DataError(f"{len(names)} patients make 2 to {len(names)} folds, not {count}")
    order = np.random.default_rng(seed).permutation(len(names))
    return [{names[k] for k in order[fold::count]} for fold in range(count)]


def split_samples(
    samples: Iterable[Item], held_out: Iterable[str], excluded: Iterable[str] = ()
) -> tuple[list[Item], list[Item]]:
    """(training, validation): validation takes the held-out patients, excluded ones are in neither.

    Raises DataError when a side is empty, so that a misspelt split file is no leak, or when sides overlap.
    """
    held, left_out = set(held_out), set(excluded)
    require_disjoint(left_out, held)
    training: list[Item] = []
    validation: list[Item] = []
    for sample in samples:
        if sample.patient in held:
            validation.append(sample)
        elif sample.patient not in left_out:
            training.append(sample)
    check_sides(training, validation)
    return training, validation


def patients_of(items: Iterable[OfPatient]) -> tuple[str, ...]:
    """Their patients' names, each once, sorted."""
    return tuple(sorted({item.patient for item in items}))


def check_sides(training: Sequence[OfPatient], validation: Sequence[OfPatient]) -> None:
    """Raise DataError when a side has no frame or the sides share a patient."""
    for side, samples in (("training", training), ("validation", validation)):
        if not samples:
            raise DataError(f"no frame is left for {side}; check the patient names of the split against the data")
    require_disjoint({s.patient for s in training}, {s.patient for s in validation})
