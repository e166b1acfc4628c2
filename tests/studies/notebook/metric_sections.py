"""The sections on how figures were made of answers (5, 6): from figures to Markdown."""

from __future__ import annotations

from bench.report.layout import table
from tests.studies.notebook.figures import Computed

__all__ = ["averages", "best_epoch"]


def averages(computed: Computed) -> str:
    """Defect 5."""

    def of(name: str) -> float:
        return computed.value(5, name)

    return (
        f"10,000 test images are {of('batches'):.0f} batches of 256, the last of which has "
        f"{of('last_batch'):.0f}. The notebook averages the batches' accuracies, so that an image of the "
        f"last batch counts {of('weight_ratio'):.0f} times as much as any other.\n\n"
        + table(
            ("", "exact", "mean of batches"),
            [
                [
                    "all right but the last 16",
                    f"{of('extreme.exact'):.2f}%",
                    f"{of('extreme.printed'):.2f}%",
                ],
                [
                    "standard error at 92.13%, points",
                    f"{of('standard_error.exact'):.3f}",
                    f"{of('standard_error.batches'):.3f}",
                ],
            ],
        )
        + "\n\nThe first row is Paddle's own metric fed as the notebook feeds it. If the last batch is as "
        f"hard as the rest, the printed accuracy is off by {of('deviation'):.2f} points (one standard "
        f"deviation) either way; for each point that it is easier, by {of('swing') / 100:.3f}. The "
        "validation loss adds the batches' mean losses, multiplies by 256 and divides by 10,000: "
        f"{of('loss_factor'):.3f} times the mean of batch means, whatever the losses are."
    )


def best_epoch(computed: Computed) -> str:
    """Defect 6."""

    def of(name: str) -> float:
        return computed.value(6, name)

    rows: dict[str, list[tuple[str, str]]] = {}
    for figure in computed.of(6, "optimism."):
        _, epochs, correlation = figure.name.split(".", 2)
        rows.setdefault(epochs, []).append((correlation, f"{figure.value:.2f}"))
    header = ("equally good epochs", *(f"correlation {c}" for c, _ in next(iter(rows.values()))))
    text = (
        f"C's gain over ReLU is {of('gain'):.2f} points. One accuracy over 10,000 images has a standard "
        f"error of {of('standard_error'):.2f} points, a difference of two independent ones "
        f"{of('standard_error.difference'):.2f}: the gain is {of('gain_in_errors'):.2f} of them (p = "
        f"{of('p_value'):.2f}), before any difference between seeds. Each figure is besides the best of 50 "
        "looks at the test set. By how many points that flatters one network, if the last epochs are equally "
        "good and their errors normal with this correlation:\n\n"
        + table(header, [[epochs, *(value for _, value in cells)] for epochs, cells in rows.items()])
    )
    if computed.of(6, "curves."):
        text += (
            f"\n\nOn real curves ({computed.logs}: {of('curves.runs'):.0f} runs, {of('curves.images'):.0f} "
            f"validation images) the best epoch reads {of('curves.best_less_last'):.2f} points above the "
            f"last one, where one accuracy has a standard error of {of('curves.standard_error'):.2f}."
        )
    return text + (
        " It flatters both sides, so that it is no bias of the difference; it adds the noise of two maxima, "
        "and neither accuracy estimates what its network does on new images."
    )
