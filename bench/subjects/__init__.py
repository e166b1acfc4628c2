"""What can be measured and trained: the one place that knows `dyrelu`. The rest uses these names."""

from bench.subjects.examples import TestImages, leave_test_images
from bench.subjects.formulas import known_formulas
from bench.subjects.interrupts import import_paddle
from bench.subjects.kernels import (
    MODELS_OWN,
    PLAIN,
    SettledKernels,
    build_kernels,
    kernel_of,
    kernel_outlook,
    running,
    runs_fused,
    settle_kernels,
)
from bench.subjects.networks import (
    Subject,
    check_subject,
    given_weights,
    known_variants,
    open_subject,
    settle_weights,
    variant_options,
)
from bench.subjects.parts import ActivationParts, has_sites
from bench.subjects.training import (
    DataSource,
    TrainingRequest,
    known_recipes,
    launched_ranks,
    load_dataset,
    open_communicator,
    subject_errors,
    train,
    training_notes,
)

__all__ = [
    "MODELS_OWN",
    "PLAIN",
    "ActivationParts",
    "DataSource",
    "SettledKernels",
    "Subject",
    "TestImages",
    "TrainingRequest",
    "build_kernels",
    "check_subject",
    "given_weights",
    "has_sites",
    "import_paddle",
    "kernel_of",
    "kernel_outlook",
    "known_formulas",
    "known_recipes",
    "known_variants",
    "launched_ranks",
    "leave_test_images",
    "load_dataset",
    "open_communicator",
    "open_subject",
    "running",
    "runs_fused",
    "settle_kernels",
    "settle_weights",
    "subject_errors",
    "train",
    "training_notes",
    "variant_options",
]
