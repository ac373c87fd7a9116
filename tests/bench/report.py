"""Sums up the rounds: medians, ratios of each round, and the goals."""

import statistics
from dataclasses import dataclass

# Names of the goals: what is measured, whether the value may be at most or at least the goal.
AT_MOST, AT_LEAST = "at_most", "at_least"
MAX_ATTACK_RATIO = 2.0  # of what other clients wait
MAX_CALLS_PER_STATUS = 0.01  # probes are among them; a call per Status would be 1


@dataclass(frozen=True)
class Range:
    """The median of the rounds, with the smallest and the largest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Goal:
    """A value that is to be at most, or at least, a limit."""

    name: str
    value: float
    direction: str
    limit: float

    @property
    def met(self) -> bool:
        """Whether it is."""
        if self.direction == AT_MOST:
            return self.value <= self.limit
        return self.value >= self.limit


def over(values) -> Range:
    """Range of values."""
    values = list(values)
    return Range(statistics.median(values), min(values), max(values))


class Report:
    """rounds: for each round what Stand.round() gave."""

    def __init__(self, rounds, memory_mb, calls_per_status, first_encrypt_ms, floods, attacked):
        self._rounds = [
            {(step["operation"], step["target"], step["concurrency"]): step for step in steps}
            for steps in rounds
        ]
        self.memory_mb = memory_mb
        self.calls_per_status = calls_per_status
        self.first_encrypt_ms = first_encrypt_ms
        self._floods = floods
        self._attacked = attacked

    def flood_ratio(self, name: str) -> Range:
        """A Decrypt during a flood of forged key_ids to one without, flood by flood."""
        return over(during[name] / quiet[name] for quiet, during, _ in self._floods)

    def flood_answers(self) -> dict:
        """How the forged ones were answered, all together."""
        names = self._floods[0][2]
        return {name: sum(answers[name] for _, _, answers in self._floods) for name in names}

    def attack_ratios(self, name: str) -> dict:
        """A Decrypt during each attack to one before it, by the attack's name."""
        return {
            attack: over(during[name] / before[name] for before, during in rounds)
            for attack, rounds in self._attacked.items()
        }

    def value(self, operation: str, target: str, concurrency: int, name: str) -> Range:
        """p50_ms, p99_ms or rate over the rounds."""
        return over(r[operation, target, concurrency][name] for r in self._rounds)

    def ratio(self, operation: str, concurrency: int, name: str) -> Range:
        """Provider to bare, round by round."""
        return over(
            r[operation, "provider", concurrency][name] / r[operation, "bare", concurrency][name]
            for r in self._rounds
        )

    def status_ratio(self) -> Range:
        """p50 of Status to p50 of a bare decrypt, both alone."""
        return over(
            r["status", "provider", 1]["p50_ms"] / r["decrypt", "bare", 1]["p50_ms"]
            for r in self._rounds
        )

    def cpu_us(self, operation: str, target: str, concurrency: int) -> dict:
        """CPU microseconds per call by process, medians."""
        steps = [r[operation, target, concurrency]["cpu_us"] for r in self._rounds]
        return {name: statistics.median(step.get(name, 0.0) for step in steps) for name in steps[0]}

    def goals(self) -> list:
        """What is asked of the product on a two-core machine."""
        return [
            Goal("decrypt_p50_ratio_1", self.ratio("decrypt", 1, "p50_ms").median, AT_MOST, 1.6),
            Goal("decrypt_rate_ratio_64", self.ratio("decrypt", 64, "rate").median, AT_LEAST, 0.75),
            Goal("encrypt_p50_ratio_1", self.ratio("encrypt", 1, "p50_ms").median, AT_MOST, 2.6),
            Goal("status_p50_ratio", self.status_ratio().median, AT_MOST, 0.2),
            Goal("openbao_calls_per_status", self.calls_per_status, AT_MOST, MAX_CALLS_PER_STATUS),
            Goal("memory_mb", self.memory_mb["total"], AT_MOST, 32.0),
            Goal("first_encrypt_ms", self.first_encrypt_ms, AT_MOST, 300.0),
            *(
                Goal(f"{attack}: p99", ratio.median, AT_MOST, MAX_ATTACK_RATIO)
                for attack, ratio in self.attack_ratios("p99_ms").items()
            ),
        ]

    def _comparison(self, operation: str, concurrency: int) -> dict:
        row = {}
        for name in ("p50_ms", "p99_ms"):
            row[name] = self.value(operation, "provider", concurrency, name).median
        for name in ("p50_ms", "p99_ms"):
            row[f"bare_{name}"] = self.value(operation, "bare", concurrency, name).median
        row["p50_ratio"] = self.ratio(operation, concurrency, "p50_ms").median
        row["rate"] = self.value(operation, "provider", concurrency, "rate").median
        row["bare_rate"] = self.value(operation, "bare", concurrency, "rate").median
        row["rate_ratio"] = self.ratio(operation, concurrency, "rate").median
        return row

    def as_json(self) -> dict:
        """The result for scripts."""
        status = {
            name: self.value("status", "provider", 1, name).median
            for name in ("p50_ms", "p99_ms", "rate")
        }
        concurrency = sorted({key[2] for key in self._rounds[0]})
        result = {
            operation: {str(c): self._comparison(operation, c) for c in concurrency}
            for operation in ("decrypt", "encrypt")
        }
        result["status"] = {"1": {**status, "p50_ratio": self.status_ratio().median}}
        result["memory_mb"] = self.memory_mb
        result["first_encrypt_ms"] = self.first_encrypt_ms
        result["flood"] = {
            "p50_ratio": self.flood_ratio("p50_ms").median,
            "p99_ratio": self.flood_ratio("p99_ms").median,
            "answers": self.flood_answers(),
        }
        result["attacks"] = {
            f"{name[:3]}_ratio": {
                attack: ratio.median for attack, ratio in self.attack_ratios(name).items()
            }
            for name in ("p50_ms", "p99_ms")
        }
        result["goals"] = {
            goal.name: {"goal": goal.limit, "value": goal.value, "met": goal.met}
            for goal in self.goals()
        }
        return rounded(result)


def rounded(value):
    """Numbers with the digits that mean something."""
    if isinstance(value, dict):
        return {name: rounded(member) for name, member in value.items()}
    return round(value, 4) if isinstance(value, float) else value
