"""The files of `backtests/<bt_run_id>/`. `metrics.json` comes last: it makes the folder valid."""

import csv
import io
from dataclasses import dataclass

import numpy as np

from .backtest import Result, activity, performance
from .chart import line_chart
from .config import Config, to_yaml
from .model_file import Model
from .prices import Prices
from .run_files import write_bytes, write_json, write_text

EQUITY_COLUMNS = (
    "date", "value", "capital", "position_value", "benchmark_value", "injected_cash",
)  # fmt: skip
TRADE_COLUMNS = (
    "buy_date", "buy_price", "sell_date", "sell_price", "shares", "cost", "sell_value", "return",
    "profit", "hold_days", "exit_reason", "entry_type", "confidence",
)  # fmt: skip

_BLUE, _GREY = (37, 99, 235), (160, 168, 180)


@dataclass(frozen=True)
class Report:
    """All that the files of one backtest are made of."""

    bt_run_id: str
    ticker: str
    model_path: str
    registry_row: dict | None
    model: Model
    config: Config
    strategy: dict  # as resolved for the ticker
    days: Prices
    confidence: np.ndarray
    market_is_up: np.ndarray
    result: Result
    held: Result  # buy-and-hold


def _csv(columns, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def equity_csv(result, held):
    """`benchmark_value` is buy-and-hold's; `injected_cash` is all money paid in so far."""
    if not len(result.dates):
        return "# no equity data\n"
    return _csv(
        EQUITY_COLUMNS,
        (
            (
                f"{date}T00:00:00", f"{cash + positions:.4f}", f"{cash:.4f}", f"{positions:.4f}",
                f"{benchmark:.4f}", f"{injected:.4f}",
            )
            for date, cash, positions, benchmark, injected in zip(
                result.dates, result.cash, result.positions, held.value, np.cumsum(result.paid_in)
            )
        ),
    )


def trades_csv(trades):
    if not trades:
        return "# no trades\n"
    return _csv(
        TRADE_COLUMNS,
        (
            (
                t.buy_date, f"{t.buy_price:.4f}", t.sell_date, f"{t.sell_price:.4f}",
                f"{t.shares:.6f}", f"{t.cost:.4f}", f"{t.sell_value:.4f}", f"{t.return_:.6f}",
                f"{t.profit:.4f}", t.hold_days, t.exit_reason, t.entry_type, f"{t.confidence:.6f}",
            )
            for t in trades
        ),
    )  # fmt: skip


def _percent(value):
    return "-" if value is None else f"{value * 100:.2f}%"


def numbers(metrics, held):
    """The result for the terminal: the strategy, and buy-and-hold beside it."""
    lines = [f"  {'':<16}{'strategy':>14}{'buy and hold':>14}"]
    for name in ("total_injected", "final_value"):
        lines.append(f"  {name:<16}{metrics[name]:>14.2f}{held[name]:>14.2f}")
    for name in ("total_return", "cagr", "max_drawdown"):
        lines.append(f"  {name:<16}{_percent(metrics[name]):>14}{_percent(held[name]):>14}")
    lines.append(
        f"  {metrics['trade_count']} trades, win rate {_percent(metrics['win_rate'])}, "
        f"in the market {_percent(metrics['exposure_rate'])} of the days"
    )
    return "\n".join(lines)


def summary_text(report, metrics, held):
    reasons = {}
    for trade in report.result.trades:
        reasons[trade.exit_reason] = reasons.get(trade.exit_reason, 0) + 1
    exits = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items())) or "-"
    hold = metrics["avg_hold_days"]
    verdict = "⚠️ 策略不如买入持有 / the strategy did worse"
    if metrics["total_return"] > held["total_return"]:
        verdict = "✅ 策略胜过买入持有 / the strategy did better"
    label = report.model.label
    return f"""📊 回测摘要 / Backtest summary: {report.ticker}
编号 / id:                 {report.bt_run_id}
模型 / model:              {report.model_path}
标签 / label:              horizon_days={label.horizon_days}, threshold={label.threshold:g}
区间 / period:             {metrics["start"]} → {metrics["end"]}

💰 资金 / Money
投入 / paid in:            {metrics["total_injected"]:.2f}
期末 / final value:        {metrics["final_value"]:.2f}
总收益 / total return:     {_percent(metrics["total_return"])}
年化 / CAGR:               {_percent(metrics["cagr"])}
最大回撤 / max drawdown:   {_percent(metrics["max_drawdown"])}

🏦 买入持有 / Buy and hold
期末 / final value:        {held["final_value"]:.2f}
总收益 / total return:     {_percent(held["total_return"])}
年化 / CAGR:               {_percent(held["cagr"])}
最大回撤 / max drawdown:   {_percent(held["max_drawdown"])}
{verdict}

🔁 交易 / Trades
次数 / count:              {metrics["trade_count"]}
胜率 / win rate:           {_percent(metrics["win_rate"])}
平均持有 / average hold:   {"-" if hold is None else f"{hold:.1f} 天 / days"}
持仓时间 / exposure:       {_percent(metrics["exposure_rate"])}
退出 / exits:              {exits}
"""


def end_date_text(report, metrics):
    """How things stood on the last day: what the next day's decision would have been made from."""
    last, strategy = report.days.dates[-1], report.strategy
    confidence = float(report.confidence[-1])
    known = np.isfinite(confidence)
    entered = sorted(
        tier for tier, least in strategy["conf_thresholds"].items() if known and confidence >= least
    )
    market = "🟢 向上 / up" if report.market_is_up[-1] else "🔴 向下 / down"
    unused = "" if strategy["use_market_filter"] else " (未使用 / not used)"
    return f"""📅 期末状态 / State at the end: {report.ticker}
日期 / date:               {last}
收盘价 / close:            {report.days.close[-1]:.4f}
信心 / confidence:         {f"{confidence:.4f}" if known else "-"}
达到的档位 / tiers:        {", ".join(entered) or "-"}
市场过滤 / market filter:  {market}{unused}
未平仓 / open positions:   {report.result.open_at_end} (按收盘价结算 / closed at the close)
期末价值 / final value:    {metrics["final_value"]:.2f}
"""


def write(folder, report):
    """Write all files; return the metrics of the strategy and of buy-and-hold."""
    held = performance(report.held)
    metrics = {"ticker": report.ticker, **performance(report.result), **activity(report.result)}
    effective = {
        **report.config.values,
        "_ticker": report.ticker,
        "_bt_run_id": report.bt_run_id,
        "_resolved_strategy": report.strategy,
    }
    label = report.model.label
    write_text(folder / "config.yaml", to_yaml(effective))
    write_json(
        folder / "selection.json",
        {
            "ticker": report.ticker,
            "model_path": report.model_path,
            "mode": report.model.info["stage"],
            "label_horizon_days": label.horizon_days,
            "label_threshold": label.threshold,
            "registry_row": report.registry_row,
        },
    )
    write_text(folder / "equity.csv", equity_csv(report.result, report.held))
    write_text(folder / "trades.csv", trades_csv(report.result.trades))
    write_json(folder / "buy_and_hold.json", held)
    write_text(folder / "summary.txt", summary_text(report, metrics, held))
    write_text(
        folder / f"end_date_summary_{report.ticker}_{metrics['start']}_{metrics['end']}.txt",
        end_date_text(report, metrics),
    )
    write_bytes(
        folder / "plots/equity_curve.png",
        line_chart(
            report.days.dates, [(report.result.value, _BLUE), (report.held.value, _GREY)]
        ),
    )
    write_json(folder / "metrics.json", metrics)
    return metrics, held
