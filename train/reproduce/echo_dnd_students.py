"""What each term of the distillation loss is worth, with all and with scarce labels: rows of `echoedge reproduce
echo-dnd`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.errors import DataError
from train.data.sample import Sample
from train.data.split import draw_patients
from train.diffusion.losses import LossWeights
from train.diffusion.student import TRUTH_ALONE, DistillWeights
from train.distill import distill
from train.echo_dnd import RECIPES, load_echo_dnd, train_echo_dnd
from train.evaluate.refine import Estimator, torch_estimator
from train.nets.echo_dnd import CONFIGS, EchoDNDConfig
from train.reproduce.echo_dnd_study import BASE, Study
from train.results import slug

DRAWS, STEPS = 2, 4
"""Of the teacher's consensus, and steps of the students' answers."""
SCARCE = 0.1
"""Share of the patients whose masks are known in the second half of the table."""


@dataclass(frozen=True)
class Student:
    """One student. scarce: masks of SCARCE of the patients alone; unlabelled: the other patients' frames are used,
    too.
    """

    name: str
    weights: DistillWeights
    scarce: bool = False
    unlabelled: bool = False


STUDENTS = (
    Student("experts' masks alone", TRUTH_ALONE),
    Student("and consensus", replace(TRUTH_ALONE, truth=DistillWeights().truth)),
    Student("and features", replace(TRUTH_ALONE, hint=DistillWeights().hint)),
    Student("and consistency", replace(TRUTH_ALONE, consistency=DistillWeights().consistency)),
    Student("all terms", DistillWeights()),
    Student("scarce masks alone", TRUTH_ALONE, scarce=True),
    Student("scarce, consensus for the rest", TRUTH_ALONE, scarce=True, unlabelled=True),
    Student("scarce, all terms", DistillWeights(), scarce=True, unlabelled=True),
)


def student_of(teacher: EchoDNDConfig) -> EchoDNDConfig:
    """A student of the teacher's size: one trunk for both masks, x0 heads and a latent, as the shipped one has."""
    return replace(
        teacher,
        trunk="shared",
        prediction="x0",
        learned_variance=False,
        latent=CONFIGS["student"].latent,
    )


def labelled_of(study: Study) -> list[Sample]:
    """The frames of the patients whose masks are known in the second half of the table."""
    known = draw_patients({s.patient for s in study.training}, study.seed, SCARCE)
    return [s for s in study.training if s.patient in known]


def check_counts(study: Study, has_students: bool) -> None:
    """Refuse, before anything is trained, data too few for one batch. Raises DataError with the counts."""
    batch, frames = study.recipe.batch, len(study.training)
    if frames < batch:
        raise DataError(f"{frames} training frames are fewer than one batch of {batch}; give more patients with --data")
    if not has_students:
        return
    labelled = labelled_of(study)
    if len(labelled) < batch:
        known, patients = ({s.patient for s in frames} for frames in (labelled, study.training))
        raise DataError(
            f"the students with scarce masks would have {len(labelled)} frames, from {len(known)} of {len(patients)} "
            f"patients, fewer than one batch of {batch}; give more patients with --data, or leave the students out: "
            f"--rows without '{BASE.name}'"
        )


def student_rows(study: Study, teacher: Path) -> list[dict[str, Any]]:
    """A row a student. `teacher` is the checkpoint trained on all labels; the scarce ones get a teacher of their own
    labels.
    """
    labelled = labelled_of(study)
    rows = []
    for student in STUDENTS:

        def make(student: Student = student) -> tuple[Estimator, dict[str, Any]]:
            told_by = scarce_teacher(study, labelled) if student.scarce else teacher
            frames = labelled if student.scarce and not student.unlabelled else study.training
            net = load_echo_dnd(trained_student(study, student, told_by, frames))
            return torch_estimator(net, STEPS, 1, "mean", study.seed), {
                "steps": STEPS,
                "frames": len(frames),
                "labelled": len(labelled) if student.scarce else len(frames),
            }

        rows.append(study.row(f"student: {student.name}", None, make))
    return rows


def scarce_teacher(study: Study, labelled: Sequence[Sample]) -> Path:
    """The base network trained on the labelled frames alone, for as many steps as the others."""
    folder = study.folder / "scarce-teacher"
    recipe = replace(study.recipe, epochs=epochs_for(study, len(labelled)))
    train_echo_dnd(study.scale.config, recipe, LossWeights(), labelled, study.validation, folder)
    return folder / "last.safetensors"


def trained_student(study: Study, student: Student, teacher: Path, frames: Sequence[Sample]) -> Path:
    """The student after its last epoch."""
    folder = study.folder / "students" / slug(student.name)
    recipe = replace(study.recipe, lr=RECIPES["student"].lr, epochs=epochs_for(study, len(frames)))
    labels = SCARCE if student.unlabelled else 1.0
    config = student_of(study.scale.config)
    distill(teacher, config, recipe, student.weights, frames, study.validation, folder, DRAWS, STEPS, labels)
    return folder / "last.safetensors"


def epochs_for(study: Study, frames: int) -> int:
    """So many epochs of `frames` frames as make the steps of the whole study's."""
    batch = study.recipe.batch
    return max(1, round(study.recipe.epochs * (len(study.training) // batch) / max(1, frames // batch)))
