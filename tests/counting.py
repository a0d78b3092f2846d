"""How much a counter of this process grows."""

from shared.metrics import REGISTRY


class Since:
    """How much more a series shows than it did; its name goes without `linkferry_`."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = f"linkferry_{name}", labels
        self._before = self._value()

    def __call__(self) -> float:
        """That much."""
        return self._value() - self._before

    def _value(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0
