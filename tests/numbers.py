"""Reads what `/metrics` tells, as Prometheus would."""

from prometheus_client.parser import text_string_to_metric_families


def numbers(text: str) -> dict[str, float]:
    """The value of each series, under its name as it is written: `linkferry_jobs{state="queued"}`."""
    return {
        sample.name + _labels(sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _labels(labels: dict[str, str]) -> str:
    told = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""
