"""What can be measured and trained: the one place that knows `dyrelu`. The rest uses these names."""

from bench.subjects.networks import (
    Subject,
    check_subject,
    given_weights,
    kernel,
    known_variants,
    open_subject,
    settle_weights,
    variant_options,
)
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
    "DataSource",
    "Subject",
    "TrainingRequest",
    "check_subject",
    "given_weights",
    "kernel",
    "known_recipes",
    "known_variants",
    "launched_ranks",
    "load_dataset",
    "open_communicator",
    "open_subject",
    "settle_weights",
    "subject_errors",
    "train",
    "training_notes",
    "variant_options",
]
