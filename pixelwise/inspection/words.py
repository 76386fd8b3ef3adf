"""What a survey says: facts, shares of classes and the summary in text."""

from collections.abc import Iterator

from pixelwise.inspection.survey import Survey
from pixelwise.validation.data_summary import stack_pixels

ORIENTATIONS = {
    2: "mirrored",
    3: "turned by 180°",
    4: "upside down and mirrored",
    5: "transposed",
    6: "turned by 90° to the right",
    7: "transposed and turned by 180°",
    8: "turned by 90° to the left",
}
SEVERITY = {"error": "stops the pipeline", "warning": "warning"}
MOST_SIZES, MOST_REASONS, MOST_CLASSES = 5, 5, 30


def count_labelled(survey: Survey) -> int:
    """The number of pictures with at least one labelled pixel."""
    return int((survey.summary.manifest["void_share"] < 1).sum())


def list_shares(survey: Survey) -> Iterator[tuple[str, tuple[int, int, int], float, int]]:
    """Yield (name, colour, share of the labelled pixels, pictures that show it) of each class."""
    classes = survey.summary.classes
    pixels = stack_pixels(survey.summary.manifest, len(classes))
    shares = pixels.sum(axis=0) / max(1, pixels.sum())
    pictures = (pixels > 0).sum(axis=0)
    for name, colour, share, count in zip(classes.names, classes.palette, shares, pictures, strict=True):
        yield name, colour, float(share), int(count)


def list_facts(survey: Survey) -> dict[str, str]:
    """What the data is and why, its splits, sizes, orientation tags, and what the reader decided by itself."""
    source, seen = survey.source, len(survey.summary.manifest)
    facts = {"format": f"{source.format}: {source.why}", "splits": describe_splits(survey)}
    read = seen + len(survey.summary.quarantine)
    if read < source.total:
        facts["looked at"] = f"{read:,} of {source.total:,} pictures, evenly spread; --most 0 looks at all"
    facts["sizes"] = describe_sizes(survey)
    facts["orientation tags"] = describe_orientations(survey)
    if survey.is_labelled:
        facts["void"] = f"{survey.summary.manifest['void_share'].mean():.1%} of the pixels of a picture"
    return facts | {f"note {number}": note for number, note in enumerate(source.notes, start=1)}


def describe_splits(survey: Survey) -> str:
    """The splits with their usable pictures."""
    return ", ".join(f"{name} {count:,}" for name, count in survey.summary.splits.items())


def describe_sizes(survey: Survey) -> str:
    """The most frequent sizes with their pictures."""
    shown = ", ".join(f"{size} ({count:,})" for size, count in survey.sizes[:MOST_SIZES])
    more = len(survey.sizes) - MOST_SIZES
    return shown + (f" and {more} more sizes" if more > 0 else "")


def describe_orientations(survey: Survey) -> str:
    """The EXIF orientation tags with their pictures."""
    counts = sorted(survey.orientations.items())
    tags = ", ".join(f"{count:,} {ORIENTATIONS[tag]}" for tag, count in counts)
    return tags or "none: every picture is stored upright"


def summarise(survey: Survey) -> str:
    """The summary in text, one line per fact and fault."""
    summary = survey.summary
    lines = [f"{survey.path}", *(f"{name:<17} {value}" for name, value in list_facts(survey).items())]
    if survey.is_labelled:
        shares = [f"{name} {share:.1%}" for name, _, share, _ in list_shares(survey)]
        more = f", … {len(shares) - MOST_CLASSES} more" if len(shares) > MOST_CLASSES else ""
        lines.append(f"{'classes':<17} {', '.join(shares[:MOST_CLASSES])}{more}")
    lines += [f"{SEVERITY['error']}: {fault}" for fault in survey.source.faults]
    reasons = list(summary.quarantine["reason"])
    lines += [f"unusable: {reason}" for reason in reasons[:MOST_REASONS]]
    lines += [f"unusable: … {len(reasons) - MOST_REASONS} more, see the page"] if len(reasons) > MOST_REASONS else []
    lines += [f"{SEVERITY[finding.severity]}: {finding.name}: {finding.found}" for finding in survey.suspicious]
    return "\n".join(lines)
