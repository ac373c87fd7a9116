"""The result for people."""

from .report import AT_MOST, Range, Report
from .stand import CONCURRENCY, FORGED_PER_SECOND, Stand

CPU_COLUMNS = ("openbao", "supervisor", "worker_0", "worker_1", "auth_agent", "spawner", "load")


def with_range(ratio: Range) -> str:
    """A median and what it varied between."""
    return f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


def _latency_rows(report: Report):
    columns = ("call", "at once", "p50 ms", "bare", "ratio", "p99 ms", "bare")
    yield "{:<8}{:>8}{:>9}{:>8}{:>18}{:>9}{:>8}".format(*columns)
    status = [report.value("status", "provider", 1, name).median for name in ("p50_ms", "p99_ms")]
    ratio = with_range(report.status_ratio())
    yield f"{'status':<8}{1:>8}{status[0]:>9.3f}{'':>8}{ratio:>18}{status[1]:>9.3f}"
    for operation in ("decrypt", "encrypt"):
        for c in CONCURRENCY:
            cells = []
            for name in ("p50_ms", "p99_ms"):
                cells += [report.value(operation, t, c, name).median for t in ("provider", "bare")]
            ratio = with_range(report.ratio(operation, c, "p50_ms"))
            yield (
                f"{operation:<8}{c:>8}{cells[0]:>9.3f}{cells[1]:>8.3f}{ratio:>18}"
                f"{cells[2]:>9.3f}{cells[3]:>8.3f}"
            )


def _rate_rows(report: Report):
    yield "{:<8}{:>8}{:>9}{:>8}{:>18}".format("call", "at once", "calls/s", "bare", "ratio")
    rate = report.value("status", "provider", 1, "rate").median
    yield f"{'status':<8}{1:>8}{rate:>9.0f}"
    for operation in ("decrypt", "encrypt"):
        for c in CONCURRENCY:
            ours, bare = (
                report.value(operation, target, c, "rate").median for target in ("provider", "bare")
            )
            ratio = with_range(report.ratio(operation, c, "rate"))
            yield f"{operation:<8}{c:>8}{ours:>9.0f}{bare:>8.0f}{ratio:>18}"


def _cpu_rows(report: Report):
    yield f"{'call':<17}{'at once':>8}" + "".join(f"{name:>11}" for name in CPU_COLUMNS)
    steps = [("status", "provider", 1)]
    for operation in ("decrypt", "encrypt"):
        steps += [(operation, target, c) for c in CONCURRENCY for target in ("provider", "bare")]
    for operation, target, c in steps:
        used = report.cpu_us(operation, target, c)
        name = operation if target == "provider" else f"{operation}, bare"
        cells = (
            used[process] if target == "provider" or process in ("openbao", "load") else None
            for process in CPU_COLUMNS
        )
        yield f"{name:<17}{c:>8}" + "".join(
            f"{'':>11}" if cell is None else f"{cell:>11.0f}" for cell in cells
        )


def _goal_rows(report: Report):
    for goal in report.goals():
        words = "at most" if goal.direction == AT_MOST else "at least"
        verdict = "met" if goal.met else "MISSED"
        yield f"{goal.name:<26}{goal.value:>10.4g}   {words} {goal.limit:<6g} {verdict}"


def _flood_rows(report: Report):
    p50, p99 = (with_range(report.flood_ratio(name)) for name in ("p50_ms", "p99_ms"))
    answers = ", ".join(f"{count} {name}" for name, count in report.flood_answers().items())
    yield f"Flood              decrypt during {FORGED_PER_SECOND} forged key_ids/s to one without:"
    yield f"                   p50 {p50}, p99 {p99}; forged: {answers}"


def _attack_rows(report: Report):
    p50, p99 = (report.attack_ratios(name) for name in ("p50_ms", "p99_ms"))
    for attack in p50:
        yield f"{attack:<24}{with_range(p50[attack]):>20}{with_range(p99[attack]):>20}"


def text_table(report: Report, stand: Stand) -> str:
    """All of it, as tests/bench/README.md explains it."""
    memory = (f"{role} {mb:.1f}" for role, mb in report.memory_mb.items())
    lines = [
        f"OpenBao on core {stand.openbao_core}, provider and load on core {stand.provider_core}; "
        f"load average at the start {stand.load_average:.1f}",
        "",
        "Latency (status is compared with a bare decrypt; ratios: median, lowest-highest round)",
        *_latency_rows(report),
        "",
        "Rate",
        *_rate_rows(report),
        "",
        "CPU time per call, microseconds",
        *_cpu_rows(report),
        "",
        f"Memory (PSS, MB)   {', '.join(memory)}",
        f"First Encrypt      {report.first_encrypt_ms:.0f} ms after exec",
        *_flood_rows(report),
        "",
        f"{'Decrypt during to before':<24}{'p50':>20}{'p99':>20}",
        *_attack_rows(report),
        "",
        "Goals",
        *_goal_rows(report),
    ]
    return "\n".join(lines) + "\n"
