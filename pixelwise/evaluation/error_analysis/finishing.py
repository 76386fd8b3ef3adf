"""Make the error analysis of a split from what was collected picture by picture."""

from pixelwise.data.class_mapping import map_classes
from pixelwise.evaluation.error_analysis.collector import ErrorCollector
from pixelwise.evaluation.error_analysis.slices import match_columns, slice_pictures
from pixelwise.evaluation.scoring import Scoring
from pixelwise.inference.session import select_truth, stack_samples
from pixelwise.metrics.regions import Region
from pixelwise.reporting.errors.analysis import ErrorAnalysis
from pixelwise.reporting.errors.crops import Crop, cut_region
from pixelwise.reporting.evaluation import Evaluation

# Suspects that the page shows.
SHOWN = 12


def analyse(errors: ErrorCollector, evaluation: Evaluation, scoring: Scoring) -> ErrorAnalysis:
    """Make the analysis of what `errors` has collected. Raises DataError as `match_columns`."""
    columns = match_columns(errors.table, evaluation.ids)
    counts = evaluation.counts.sum(axis=0)
    suspects = errors.suspects.rank(counts) if scoring.segmenter.gives_confidence else None
    return ErrorAnalysis(
        shapes=[each.shape for each in errors.facts],
        counts=counts,
        boundary=errors.boundary,
        sizes=errors.sizes,
        confidence=errors.confidence if scoring.segmenter.gives_confidence else None,
        slices=slice_pictures(errors.facts, evaluation.counts, columns),
        pictures=errors.pictures.items(),
        regions=errors.regions.items(),
        examples={label: best.items() for label, best in errors.examples.items()},
        suspects=suspects,
        shown=[cut_again(suspect.region, scoring) for suspect in suspects[:SHOWN]] if suspects else [],
        beside=errors.beside.finish() if errors.beside else None,
    )


def cut_again(region: Region, scoring: Scoring) -> Crop:
    """Cut the region of a picture that is predicted again, since predictions are not kept."""
    sample, output = scoring.split.samples[region.place], scoring.segmenter.outputs[0]
    prediction = map_classes(scoring.segmenter.label(stack_samples([sample]))[output][0], scoring.table)
    return cut_region(
        sample.id, sample.image, {"truth": select_truth(output, sample), "prediction": prediction}, region
    )
