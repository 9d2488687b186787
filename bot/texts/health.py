"""How the bot is, for admins."""

from bot.texts.wording import count, duration
from tweetsent.health import Health
from tweetsent.records import Run, RunState
from tweetsent.telemetry import Latency

_RUNS = {
    RunState.RUNNING: "sürüyor",
    RunState.PROMOTED: "yeni model devrede",
    RunState.REFUSED: "yeni model devreye alınmadı",
    RunState.FAILED: "yarıda kaldı",
    RunState.STOPPED: "bir yönetici durdurdu",
}


def health(state: Health) -> str:
    """The state of the bot and of what it needs."""
    database = "✅ yanıt veriyor" if state.database else "❌ yanıt vermiyor"
    model = state.model if state.model_answers else f"❌ {state.model} yanıt vermiyor"
    lines = [
        "🩺 Sağlık",
        f"🗄 Veritabanı: {database}",
        f"🤖 Model: {model}",
        f"📥 Sırada bekleyen ve işlenen: {count(state.queue)}",
        f"💬 Yanıt, son bir saat: {_latency(state.messages)}",
        f"⚡ Değerlendirme, son bir saat: {_latency(state.classification)}",
    ]
    if state.contact_age_seconds is not None:
        lines.append(f"📡 Telegram'dan son haber: {duration(state.contact_age_seconds)} önce")
    return "\n".join(
        [
            *lines,
            f"🎓 Son eğitim: {_run(state.last_run) if state.database else 'okunamadı'}",
            f"⏱ Kesintisiz çalışma: {duration(state.uptime_seconds)}",
        ]
    )


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return "henüz yok"
    return f"ortanca {1000 * latency.p50:.0f} ms, %95'i en çok {1000 * latency.p95:.0f} ms"


def _run(run: Run | None) -> str:
    if run is None:
        return "henüz yok"
    return f"#{run.id}, {run.started_at:%d.%m.%Y %H:%M} (UTC), {_RUNS[run.state]}"
