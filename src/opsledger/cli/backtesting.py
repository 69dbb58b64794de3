"""Commands that ask whether a judgement was right: backtest health, scores of past times against who left afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsledger.cli.opening import LedgerOption, built_tables, content, instant, opened
from opsledger.cli.output import Format, FormatOption, counted, show
from opsledger.cli.progress import progress
from opsledger.cli.reporting import percent
from opsledger.errors import BadInput

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.projections.health.scores import Version
    from opsledger.replay.backtesting import Book

__all__ = ["commands"]

commands = typer.Typer()
backtest = typer.Typer(no_args_is_help=True, help="Ask the past: was what would have been said then right?")
commands.add_typer(backtest, name="backtest", rich_help_panel="Read")

_BANDS: Final = ("band", "scores", "left", "rate", "between")
_RESULT: Final = (
    "model_version",
    "horizon_days",
    "band",
    "n",
    "churned",
    "churn_rate_bp",
    "wilson_low_bp",
    "wilson_high_bp",
    "auc_x10000",
    "auc_numerator",
    "auc_denominator",
    "precision_bp",
    "recall_bp",
    "lift_numerator",
    "lift_denominator",
    "times",
    "customers",
    "end_agreed",
)
_SCORES: Final = ("model_version", "customer_id", "known_at", "as_of_day", "score_x10", "band", "horizon_days", "churned")


@backtest.command()
def health(
    model: Annotated[
        str | None,
        typer.Option(metavar="ID|FILE", help="A published health model, or a file with the document of one; by default the only one."),
    ] = None,
    horizon: Annotated[int, typer.Option(min=1, max=3650, metavar="DAYS", help="Within how many days after a score one must leave.")] = 90,
    every: Annotated[int, typer.Option(min=1, max=3650, metavar="DAYS", help="How far apart the times of scoring lie.")] = 30,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Score at no earlier time.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Score at no later time.")] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Print each score with what followed, instead of what they come to.")] = False,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Score customers at past times by what was recorded by then, and print by band how many of them left afterwards.

    Nothing is recorded or stored. Customers are those who were paid for at the time; one whose end was agreed on by then is left out.
    """
    from opsledger.policies.instants import micros
    from opsledger.replay.backtesting import score_the_past

    bounds = [None if text is None or (at := instant(text)) is None else micros(at) for text in (since, until)]
    with opened(ledger) as host:
        tables = built_tables(host)
        version, published_at = _version(host, model)
        with progress("backtest", "customers") as told:
            book = score_the_past(
                host.store,
                tables,
                version,
                horizon_days=horizon,
                every_days=every,
                since=bounds[0],
                until=bounds[1],
                progress=told,
            )
    if scores:
        show(_scores(book, version.name), _SCORES, format)
    elif format is Format.TABLE:
        _tell(book, version.name, every, published_at)
    else:
        show(_rows(book, version.name), _RESULT, format)


def _version(host: OpsLedger, model: str | None) -> tuple[Version, int | None]:
    """Return the version that is meant, and when it was published; None: it was not, but stands in a file."""
    from opsledger.policies import documents
    from opsledger.policies.health import HealthModel
    from opsledger.projections.health.scores import Version
    from opsledger.replay.backtesting import published

    if model is None or not (path := Path(model)).is_file():
        return published(host.store, model)
    try:
        text = content(path).decode()
    except UnicodeDecodeError:
        raise BadInput("backtest.model", f"{path} is no text; give the document of a health model in YAML or JSON.") from None
    document = documents.read(HealthModel, text)
    return Version(path.stem, document, documents.digest(documents.canonical(document)), None, None, 0), None


def _rows(book: Book, name: str) -> list[dict[str, Any]]:
    """Return what scores come to, one row for each band; what is of all bands stands in every row."""
    found = book.result()
    of_all = {
        "model_version": name,
        "horizon_days": book.horizon_days,
        "auc_x10000": found.auc_x10000,
        "auc_numerator": None if found.auc is None else found.auc.numerator,
        "auc_denominator": None if found.auc is None else found.auc.denominator,
        "precision_bp": found.precision_bp,
        "recall_bp": found.recall_bp,
        "lift_numerator": None if found.lift is None else found.lift.numerator,
        "lift_denominator": None if found.lift is None else found.lift.denominator,
        "times": len(book.times),
        "customers": len({each.customer_id for each in book.scored}),
        "end_agreed": book.agreed,
    }
    return [{**of_all, **band._asdict()} for band in found.bands]


def _scores(book: Book, name: str) -> list[dict[str, Any]]:
    from opsledger.policies.instants import DAY_S, SECOND, moment

    return [
        {
            **each._asdict(),
            "model_version": name,
            "known_at": moment(each.known_at),
            "as_of_day": f"{moment(each.day * DAY_S * SECOND):%Y-%m-%d}",
            "horizon_days": book.horizon_days,
        }
        for each in book.scored
    ]


def _tell(book: Book, name: str, every: int, published_at: int | None) -> None:
    """Print what scores come to, as a person reads it."""
    from opsledger.policies.instants import moment

    found = book.result()
    first, last = (f"{moment(at):%Y-%m-%d}" for at in (book.times[0], book.times[-1]))
    typer.echo(f"{name}, scored at {counted(len(book.times), 'time')} from {first} to {last}, each by what was recorded by then.")
    gone = {each.customer_id for each in book.scored if each.churned}
    of = counted(len({each.customer_id for each in book.scored}), "customer")
    typer.echo(f"{counted(found.n, 'score')} of {of}; {len(gone)} of them left, which followed {counted(found.churned, 'score')}")
    typer.echo(f"within {counted(book.horizon_days, 'day')}. Left out: {book.agreed} whose end was agreed on by then.\n")
    show([_told(*each[:3], each[3], each[4:]) for each in found.bands], _BANDS, Format.TABLE)
    for sentence in _sentences(book, every, published_at):
        typer.echo(sentence)


def _told(band: str, n: int, churned: int, rate_bp: int | None, interval: Sequence[int | None]) -> dict[str, Any]:
    between = None if rate_bp is None else " .. ".join(str(percent(each)) for each in interval)
    return {"band": band, "scores": n, "left": churned, "rate": percent(rate_bp), "between": between}


def _sentences(book: Book, every: int, published_at: int | None) -> list[str]:
    """Return what else is to be said: how well those who left were told apart, and what weakens it."""
    found = book.result()
    said = [""]
    if found.auc is None:
        said.append("Nobody left, or nobody stayed, so that nothing was told apart.")
    else:
        share = percent(found.auc_x10000)
        said.append(f"Of one who left and one who stayed, the first had the lower score in {share} of all pairs (AUC {found.auc}).")
    if found.precision_bp is not None and found.recall_bp is not None:
        often = f", {_times(found.lift.numerator, found.lift.denominator)} as often as all others" if found.lift is not None else ""
        said.append(f"Of the red ones {percent(found.precision_bp)} left{often}; of those who left {percent(found.recall_bp)} were red.")
    said.append(f"Green ones who left: {found.green_churned}.")
    if every < book.horizon_days:
        said.append(f"One who leaves follows several scores, since times lie {every} days apart: the intervals are too narrow for that.")
    if published_at is None:
        said.append("The model stands in a file alone; whoever wrote it may have known what came.")
    elif before := sum(at < published_at for at in book.times):
        said.append(f"The model was published after {before} of the {len(book.times)} times; whoever made it may have known what came.")
    return said


def _times(part: int, whole: int) -> str:
    tenths = (20 * part + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10} times"
