"""The sections that need no clock, one function a defect: from figures to Markdown."""

from __future__ import annotations

from bench.report.formats import amount, exact, percent
from bench.report.layout import table
from tests.studies.notebook.figures import Computed

__all__ = [
    "PRINTED_THROUGHPUT",
    "crops",
    "decay",
    "gone",
    "misaligned_axes",
    "parameters",
    "row_softmax",
    "streams",
    "two_stems",
]

#: Images/s that the notebook prints for ReLU and for C.
PRINTED_THROUGHPUT = (6641, 2900)
_VARIANTS = ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")
_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")


def misaligned_axes(computed: Computed) -> str:
    """Defect 1."""
    found = computed.of(1, "sites_that_run.batch")
    rows = [[figure.name.rpartition("batch")[2], f"{figure.value:.0f} of 17"] for figure in found]
    apart = [computed.value(1, f"from_meant.{axes}") for axes in ("2d", "1d")]
    same = max(computed.value(1, f"from_swapped.{axes}") for axes in ("2d", "1d"))
    return (
        "Variant A has one set of coefficients for a sample, (N, 2K). The notebook moves the features' axes "
        "so that the channels stand second last, and broadcasts the coefficients from the right: samples "
        "meet channels. That raises unless a batch has one sample or as many samples as the layer has "
        "channels.\n\n" + table(("batch", "activations of ResNet-18 that run"), rows) + "\n\n"
        "No batch but a single image passes all 17, so the listing as printed can't have trained with its "
        "batches of 256, nor given the 87.59% beside it. Where N = C it runs and is wrong without a word: "
        f"sample c's coefficients act on channel c of every sample (largest difference to just that: "
        f"{same:.2g}; to what was meant: {apart[0]:.2f} in 2-D and {apart[1]:.2f} in 1-D, for standard "
        "normal inputs and coefficients)."
    )


def row_softmax(computed: Computed) -> str:
    """Defect 2."""
    labels = list(dict.fromkeys(figure.name.split(".")[1] for figure in computed.of(2, "clipped.")))
    rows = []
    for label in labels:
        stages = [s for s in _STAGES if computed.of(2, f"clipped.{label}.rows.{s}")]
        for stage in stages:
            cells = [
                f(computed.value(2, f"{what}.{label}.{over}.{stage}"))
                for over in ("rows", "all")
                for what, f in (("clipped", _share), ("mean", lambda value: f"{value:.3f}"))
            ]
            rows.append([label, stage, *cells])
    header = ("network", "stage", "one row: pi = 1", "mean of pi", "all positions: pi = 1", "mean of pi")
    return (
        "C's map is pi = min(gamma * softmax(z / 10), 1) with gamma = H * W / 3. The softmax is meant over "
        "all H * W positions, where pi averages a third; the notebook's runs over the last axis, W, so that "
        "its shares are H times as large and nearly all are clipped to 1. Then C is B with a convolution "
        "that does nothing. On test images of CIFAR-10, both maps from the same features:\n\n"
        + table(header, rows, 2)
    )


def _share(value: float) -> str:
    return percent(value, 1)


def two_stems(computed: Computed) -> str:
    """Defect 3, the part without a clock."""
    cifar, stock = (computed.value(3, f"macs.{stem}") for stem in ("cifar", "imagenet"))
    relu, variant = PRINTED_THROUGHPUT
    return (
        f"The notebook prints {relu:,.0f} images/s for the plain network and {variant:,.0f} for C, a factor "
        f"of {relu / variant:.1f}. Its dynamic network has a 3x3 stem; the plain one was reloaded without it "
        '("Skip loading for conv1.weight"), with ImageNet\'s 7x7 stem and max-pool.\n\n'
        + table(
            ("plain ResNet-18 at 32x32", "MACs an image"),
            [["3x3 stem, no max-pool", exact(cifar)], ["stock stem", exact(stock)]],
        )
        + f"\n\nThat is {computed.value(3, 'macs.ratio'):.1f} times the work on one side. The time besides "
        "holds four loader processes starting, no warm-up, no device synchronisation, and one pass."
    )


def parameters(computed: Computed) -> str:
    """Defect 4."""
    rows = []
    for variant in _VARIANTS:
        total = computed.figure(4, f"total.{variant}")
        trainable = computed.value(4, f"trainable.{variant}")
        printed = "" if total.printed is None else exact(total.printed)
        rows.append([variant, printed, exact(total.value), exact(trainable), exact(total.value - trainable)])
    header = ("network", "printed", "with running statistics", "trainable", "running statistics")
    layers = ", ".join(
        f"{figure.name.rpartition('_')[2].upper()} {exact(figure.value)}"
        for figure in computed.of(4, "layer.")
    )
    return (
        "The printed column is reproduced to the last digit by counting what is saved with a model, batch "
        "norm's running means and variances among it. No optimiser changes those.\n\n"
        + table(header, rows)
        + f"\n\nIts counts of single layers with 64 channels hold ({layers}; all trainable)."
    )


def crops(computed: Computed) -> str:
    """Defect 7."""
    names = (("resized", "scale 0.08 to 1, resized"), ("padded", "pad 4, crop"))
    areas = [
        [
            title,
            _share(computed.value(7, f"area.{name}.mean")),
            _share(computed.value(7, f"area.{name}.p10")),
            _share(computed.value(7, f"area.{name}.below_half")),
        ]
        for name, title in names
    ]
    stages = [figure.name.rpartition(".")[2] for figure in computed.of(7, "variance.resized.")]
    shares = [
        [title, *(_share(computed.value(7, f"variance.{name}.{stage}")) for stage in stages)]
        for name, title in names
    ]
    return (
        "The notebook trains on crops of 8% to 100% of an image, enlarged. Layers that are conditioned on a "
        "global pool then see a statistic of the crop rather than of the image.\n\n"
        + table(("crop", "image seen, mean", "lowest tenth below", "crops that see less than half"), areas)
        + "\n\nHow much of the variance of pooled features (channel means, over images and eight views of "
        "each) is the crop's and not the image's, in an untrained ResNet-8:\n\n"
        + table(("crop", *stages), shares)
    )


def decay(computed: Computed) -> str:
    """Defect 8, the part without a clock."""
    rows = []
    for variant in ("relu", "dyrelu_b"):
        tensors = computed.figure(8, f"spared_tensors.{variant}")
        share = computed.value(8, f"spared_share.{variant}")
        count = computed.value(8, f"spared_parameters.{variant}")
        rows.append([variant, f"{tensors.value:.0f} {tensors.unit}", exact(count), percent(share, 3)])
    return (
        "A weight decay of 5e-4 is given to the optimiser as a whole, so that it pulls batch norm's scales "
        "and all biases towards 0, too, those of the hyper functions included. They are few parameters but "
        "most tensors:\n\n"
        + table(("ResNet-18", "batch norms and biases", "parameters", "share"), rows)
        + "\n\nThe layers move the features' axes about twice and work on a tensor of five axes, K times as "
        "large; C makes 2K coefficients for every element as well."
    )


def streams(computed: Computed) -> str:
    """Defect 9."""

    def of(name: str) -> float:
        return computed.value(9, name)

    return (
        "The base class builds a last Linear that every subclass replaces. What it drew is gone, and all "
        f"that is drawn later is other: of 8 numbers after it, {of('equal.after_discarding'):.0f} are those "
        "of a layer that builds its Linear once. Networks of two variants from one global seed (42) then "
        "differ in more than the variant:\n\n"
        + table(
            ("equal weights of ReLU's and B's trunk", "tensors"),
            [
                ["one global seed", f"{of('equal.one_seed'):.0f} of {of('trunk_tensors'):.0f}"],
                ["streams by name (this project)", f"{of('equal.streams'):.0f} of {of('trunk_tensors'):.0f}"],
            ],
        )
        + "\n\nC keeps its map on the layer. After the step is over and its result is gone, the map can "
        f"still be differentiated ({'yes' if of('kept.has_graph') else 'no'}) and a gradient still reaches "
        f"the convolution ({'yes' if of('kept.reaches_weights') else 'no'}): the graph is alive, and one "
        f"layer of 64 channels holds {amount(of('kept.bytes') / 2**20)} MiB for 8 images of 32x32, its "
        "input among it."
    )


def gone(computed: Computed) -> str:
    """Defect 10."""
    figure = computed.figure(10, "importable")
    version = computed.libraries.get("paddle", "unknown")
    if figure.value:
        return f"`import paddle.fluid`, the notebook's third line, still works in Paddle {version}."
    return (
        f"`import paddle.fluid`, the notebook's third line, ends in `{figure.note}` in Paddle {version}. "
        "Nothing in the notebook uses it."
    )
