"""All checks of the DataGate, one row each."""

from pathlib import Path

import pandas as pd

from components.data_gate import drift
from components.data_gate.anomalies import check_anomalies
from components.data_gate.config import DataGateSettings
from components.data_gate.copies import check_contradictions, check_leakage
from components.data_gate.counts import check_counts, check_quarantine
from components.data_gate.evidence import Served
from components.gates import Gate


def check_data(
    examples: Path,
    anomalies: Path,
    pictures: pd.DataFrame,
    served: Served | str,
    settings: DataGateSettings,
) -> list[Gate]:
    """Holds the data to the settings.

    Args:
        examples: folder of ImageExampleGen's `examples`.
        anomalies: folder of ExampleValidator's `anomalies`.
        pictures: the rows of the examples, see `read_pictures`.
        served: the data of the served model, or why there are none to compare with.
        settings: what the data must keep to.
    """
    return [
        check_anomalies(anomalies),
        check_counts(pictures, settings.min_per_class),
        check_quarantine(examples, settings.max_quarantined),
        check_contradictions(pictures, settings.max_contradicting),
        check_leakage(pictures, settings.allow_leakage),
        drift.check_skew(pictures, settings.skew),
        *(
            drift.not_compared(served)
            if isinstance(served, str)
            else drift.compare_with_served(pictures, served, settings.drift)
        ),
    ]
