"""CAMUS (Leclerc et al. 2019): two apical views of 500 patients, ED and ES, as NIfTI or as the older MetaImage release.

Layout (the data set's own README): `patientNNNN/patientNNNN_{2CH,4CH}_{ED,ES}.nii.gz` with `…_gt.nii.gz` beside it,
`patientNNNN_{2CH,4CH}_half_sequence.nii.gz` with `…_half_sequence_gt.nii.gz` (every frame from ED to ES), and
`Info_{2CH,4CH}.cfg` with lines `KEY: VALUE`. The MetaImage release has `.mhd` for `.nii.gz`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import DataError
from train.data.reading import existing, grey_levels, labels_of, read_itk, read_plane, readable
from train.data.sample import Sample, isotropic

VIEWS = {"4CH": "A4C", "2CH": "A2C"}
PHASES = ("ED", "ES")


@dataclass(frozen=True, kw_only=True)
class ReferenceEf:
    """EF in percent by patient, by two formulas that must not be mixed.

    `biplane`: `LVef` of the MetaImage release, the method of discs in two planes with each phase's own long axis.
    `common_height`: `EF` of the NIfTI release (`patients_info.csv`), whose discs have one height at ED and at ES, so
    that the long axis's shortening is left out: 1 - sum(a b) at ES / sum(a b) at ED. It is about 8 points lower.
    """

    biplane: Mapping[str, float]
    common_height: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class CamusInfo:
    """One view's `Info_*.cfg`: frames count from 1; what is not given is None: volumes in ml, EF in percent, frame rate
    in Hz.

    `quality` is "Good", "Medium" or "Poor". Both EFs belong to the patient, from both views, and differ by up to 15
    points: see `ReferenceEf`.
    """

    ed_frame: int
    es_frame: int
    frame_count: int
    quality: str
    biplane_ef_percent: float | None = None
    common_height_ef_percent: float | None = None
    edv_ml: float | None = None
    esv_ml: float | None = None
    frame_rate_hz: float | None = None


def read_info(path: Path) -> CamusInfo:
    """Read `Info_2CH.cfg` or `Info_4CH.cfg` of either release. Raises DataError naming what is missing or no number."""
    try:
        lines = [line.split(":", 1) for line in Path(path).read_text().splitlines() if ":" in line]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    fields = {key.strip(): value.strip() for key, value in lines}

    def number(key: str) -> float | None:
        return float(fields[key]) if fields.get(key) else None

    try:
        return CamusInfo(
            ed_frame=int(fields["ED"]),
            es_frame=int(fields["ES"]),
            frame_count=int(fields["NbFrame"]),
            quality=fields["ImageQuality"],
            biplane_ef_percent=number("LVef"),
            common_height_ef_percent=number("EF"),
            edv_ml=number("LVedv"),
            esv_ml=number("LVesv"),
            frame_rate_hz=number("FrameRate"),
        )
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is not a CAMUS Info file: {error} is missing or not a number") from error


def read_reference_ef(root: Path) -> ReferenceEf:
    """Each patient's reference EF: from `patients_info.csv` and from the Info files, whichever are there.

    Raises DataError when neither release's EF is found.
    """
    infos = {path.parent.name: read_info(path) for path in sorted(Path(root).glob("patient*/Info_?CH.cfg"))}
    biplane = {name: i.biplane_ef_percent for name, i in infos.items() if i.biplane_ef_percent is not None}
    common = {name: i.common_height_ef_percent for name, i in infos.items() if i.common_height_ef_percent is not None}
    table = Path(root) / "patients_info.csv"
    if table.is_file():
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            absent = {"Patient", "EF"} - set(rows.fieldnames or ())
            if absent:
                raise DataError(f"{table} lacks the columns {', '.join(sorted(absent))}; it has {rows.fieldnames}")
            try:
                common |= {row["Patient"]: float(row["EF"]) for row in rows}
            except (TypeError, ValueError) as error:
                raise DataError(f"{table}, line {rows.line_num}: EF is no number ({error})") from error
    if not biplane and not common:
        raise DataError(f"{root} has neither patients_info.csv nor Info_4CH.cfg files, which hold the reference EF")
    return ReferenceEf(biplane=biplane, common_height=common)


def read_grades(table: Path) -> dict[str, str]:
    """Patient -> Good, Medium or Poor from CAMUS's `patients_info.csv`, which grades the two-chamber recording.

    Raises DataError for a file without those columns.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            return {row["Patient"]: row["ImageQuality"] for row in csv.DictReader(file)}
    except (OSError, KeyError) as error:
        raise DataError(f"{table} gives no grades; it needs the columns Patient and ImageQuality ({error})") from error


def patients_of(root: Path) -> list[str]:
    """Names of the patient folders under `root`, sorted. Raises DataError when there are none."""
    patients = sorted(p.name for p in Path(root).glob("patient*") if p.is_dir())
    if not patients:
        raise DataError(
            f"{root} holds no patientNNNN folders; give the folder that contains CAMUS's patient0001, patient0002, …"
        )
    return patients


def read_split(path: Path) -> list[str]:
    """Patient names of an official split file: one a line."""
    try:
        return Path(path).read_text().split()
    except OSError as error:
        raise DataError(
            f"cannot read the split file {path}: {error.strerror}; it holds one patient name a line"
        ) from error


def read_camus(
    root: Path, patients: Iterable[str] | None = None, views: Iterable[str] = tuple(VIEWS)
) -> Iterator[Sample]:
    """Yield ED and ES samples of each patient and view that is present, with square pixels, upright.

    Corrupt or incomplete pairs are skipped, named in the log and counted at the end; a patient without a folder
    and a data set without one readable pair raise DataError.
    """
    stems = [
        stem
        for patient in _wanted(root, patients)
        for view in views
        for phase in PHASES
        if existing(stem := Path(root) / patient / f"{patient}_{view}_{phase}")
    ]
    return readable("CAMUS", stems, lambda stem: stem.name, _read_pair)


def read_camus_sequences(
    root: Path, patients: Iterable[str] | None = None, views: Iterable[str] = tuple(VIEWS)
) -> Iterator[Sample]:
    """Yield every frame of the half sequences in order; phase is "ED" or "ES" where the Info file says so, else "".

    Skips and raises as `read_camus` does.
    """
    stems = [
        stem
        for patient in _wanted(root, patients)
        for view in views
        if existing(stem := Path(root) / patient / f"{patient}_{view}_half_sequence")
    ]
    return readable("CAMUS sequence", stems, lambda stem: stem.name, _read_sequence)


def _wanted(root: Path, patients: Iterable[str] | None) -> list[str]:
    known = patients_of(root)
    wanted = list(patients) if patients is not None else known
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise DataError(f"{root} lacks {len(missing)} of the patients asked for: {', '.join(missing[:5])}")
    return wanted


def _files(stem: Path) -> tuple[Path, Path]:
    image, mask = existing(stem), existing(stem.with_name(stem.name + "_gt"))
    if image is None or mask is None:
        raise DataError("its _gt file is missing")
    return image, mask


def _read_pair(stem: Path) -> list[Sample]:
    patient, view, phase = stem.name.split("_")
    image_path, mask_path = _files(stem)
    pixels, spacing = read_plane(image_path)
    image, mask = grey_levels(pixels), labels_of(read_plane(mask_path)[0])
    _check_labels(mask)
    return [isotropic(Sample(image, mask, spacing, VIEWS[view], phase, patient, f"camus/{stem.name}"))]


def _read_sequence(stem: Path) -> list[Sample]:
    """Frames of one half sequence. CAMUS stores lateral, depth, time: reversed, each frame is upright as read."""
    patient, view = stem.name.split("_")[:2]
    image_path, mask_path = _files(stem)
    images, spacing = read_itk(image_path)
    masks, _ = read_itk(mask_path)
    if images.ndim != 3 or images.shape != masks.shape:
        raise DataError(f"a sequence and its masks are expected, found arrays of {images.shape} and {masks.shape}")
    images, masks = grey_levels(images), labels_of(masks)
    _check_labels(masks)
    info_path = stem.parent / f"Info_{view}.cfg"
    phases = {}
    if info_path.is_file():
        info = read_info(info_path)
        phases = {info.ed_frame - 1: "ED", info.es_frame - 1: "ES"}
    return [
        isotropic(
            Sample(
                np.ascontiguousarray(image),
                np.ascontiguousarray(mask),
                (spacing[1], spacing[2]),
                VIEWS[view],
                phases.get(index, ""),
                patient,
                f"camus/{stem.name}#{index}",
            )
        )
        for index, (image, mask) in enumerate(zip(images, masks))
    ]


def _check_labels(mask: np.ndarray) -> None:
    if mask.max(initial=0) > 3:
        raise DataError(f"labels up to {mask.max()} where 0-3 are defined")
