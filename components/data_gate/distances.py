"""How far two samples differ, and whether that can be chance."""

import dataclasses

import pandas as pd
from scipy import stats

from components.data_gate.wording import quoted
from components.multiple_tests import holm

# Text and numbers that stand for kinds; other facts are measured.
_CATEGORIES = ("format", "orientation")


@dataclasses.dataclass(frozen=True)
class Difference:
    """Of one property of the pictures, between a sample and the one that it is held against.

    Attributes:
        name: of the property.
        distance: 0 to 1: of numbers the two-sample Kolmogorov-Smirnov statistic, of categories the
            total variation distance.
        p_value: of the two-sample Kolmogorov-Smirnov test, or Pearson's chi-square test.
        detail: the two samples in a few words.
    """

    name: str
    distance: float
    p_value: float
    detail: str

    def __str__(self) -> str:
        return f"{self.name} {self.distance:.2f} ({self.detail})"


def difference(name: str, sample: pd.Series, reference: pd.Series) -> Difference | None:
    """Compares a fact in two samples.

    Args:
        name: of the fact.
        sample: numbers or text.
        reference: what it is held against.

    Returns:
        None where one of them is empty.
    """
    sample, reference = sample.dropna(), reference.dropna()
    if sample.empty or reference.empty:
        return None
    numeric = map(pd.api.types.is_numeric_dtype, (sample, reference))
    if name in _CATEGORIES or not all(numeric):
        return category_difference(name, sample, reference)
    # With ties, of which whole numbers have many, the asymptotic test errs towards chance.
    found = stats.ks_2samp(sample.to_numpy(), reference.to_numpy(), method="asymp")
    detail = f"median {sample.median():.4g} instead of {reference.median():.4g}"
    return Difference(name, float(found.statistic), float(found.pvalue), detail)


def category_difference(name: str, sample: pd.Series, reference: pd.Series) -> Difference:
    """Compares how often each category occurs in two samples, neither of which is empty."""
    counts = pd.DataFrame(
        {
            "sample": sample.astype(str).value_counts(),
            "reference": reference.astype(str).value_counts(),
        }
    ).fillna(0)
    shares = counts / counts.sum()
    changes = (shares["sample"] - shares["reference"]).sort_index()
    p_value = stats.chi2_contingency(counts.to_numpy()).pvalue
    most = changes.abs().idxmax()
    detail = (
        f"{quoted(most)} {shares['sample'][most]:.1%} instead of {shares['reference'][most]:.1%}"
    )
    return Difference(name, float(changes.abs().sum() / 2), float(p_value), detail)


def significant(found: list[Difference], level: float) -> list[Difference]:
    """Those that are no chance, after Holm.

    Args:
        found: differences that were looked for together.
        level: probability that any of those returned is chance after all.

    Returns:
        The largest distance first.
    """
    real = holm([one.p_value for one in found], level)
    kept = [one for one, is_real in zip(found, real, strict=True) if is_real]
    return sorted(kept, key=lambda one: -one.distance)
