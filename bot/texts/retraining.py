"""Where a retraining run stands and how it ended."""

from typing import Any

from bot.texts.wording import bar, count, decimal, percent
from tweetsent.errors import Lack, NotReadyError
from tweetsent.labels import Label
from tweetsent.records import Run, RunState, RunStep, Trigger

STEPS = {
    RunStep.EXPORT: "veriler hazırlanıyor",
    RunStep.TRAINING: "eğitiliyor",
    RunStep.EVALUATION: "şimdiki modelle karşılaştırılıyor",
    RunStep.PROMOTION: "karar kaydediliyor",
}
_STEP_NAMES = {
    RunStep.EXPORT: "veri hazırlama",
    RunStep.TRAINING: "eğitim",
    RunStep.EVALUATION: "ölçme",
    RunStep.PROMOTION: "kaydetme",
}
ENDS = {
    RunState.PROMOTED: "✅ Bitti: yeni model devrede.",
    RunState.REFUSED: "🟡 Bitti: yeni model devreye alınmadı.",
    RunState.FAILED: "⚠️ Yarıda kaldı; şimdiki model çalışmaya devam ediyor.",
    RunState.STOPPED: "⏹ Bir yönetici durdurdu; şimdiki model çalışmaya devam ediyor.",
}
_TRIGGERS = {
    Trigger.SCHEDULE: "zamanlamayla başladı",
    Trigger.ADMIN: "bir yönetici başlattı",
    Trigger.CLI: "komut satırından başladı",
}
_LACKS = {
    Lack.FREE_ADAPTER: "Modeli ayarlar belirliyor (TWEETSENT_ADAPTER); yeni bir model eğitsem de "
    "devreye giremez.",
    Lack.BASE_DATA: "Temel eğitim verisi ayarlanmamış (TWEETSENT_BASE_DATA). Yalnızca "
    "düzeltmelerle iyi bir model çıkmaz.",
    Lack.TEST_DATA: "Şimdiki model temel verinin tümüyle eğitilmiş; verinin bir parçası onu "
    "ölçmeye yaramaz. Test verisini TWEETSENT_TEST_DATA ile göster.",
    Lack.FILE: "Ayarlarda adı geçen veri dosyası yok: {path}",
    Lack.CORRECTIONS: "Eğitimde kullanılabilecek {found} düzeltme var; en az {needed} gerekiyor.",
    Lack.NEW_CORRECTIONS: "Son eğitimden beri {found} yeni düzeltme geldi; en az {needed} "
    "gerekiyor.",
}
_REVIEW = "Bekleyenlere /inceleme ile bakabilirsin."
_PROGRESS_STEP = 5


def not_ready(error: NotReadyError) -> str:
    """Why a retraining run did not begin."""
    hint = f" {_REVIEW}" if error.lack is Lack.CORRECTIONS else ""
    return f"🎓 Eğitim başlamadı. {lack(error)}{hint}"


def lack(error: NotReadyError) -> str:
    """What a retraining run needs and does not have."""
    return _LACKS[error.lack].format(
        found=count(error.found), needed=count(error.needed), path=error.path
    )


def not_started(detail: str) -> str:
    """A retraining run ended before it began; `detail` is technical, and English."""
    return f"⚠️ Eğitim başlayamadı. Ayrıntı: {detail}"


def progress(run: Run) -> str:
    """Where a retraining run stands, or that it ended; changes with each twentieth of a step."""
    title = f"🎓 Eğitim #{run.id}"
    if run.state is not RunState.RUNNING:
        return f"{title}\n{ENDS[run.state]}"
    lines = [title, f"⏳ {STEPS[run.step]}"]
    if run.total:
        share = min(run.done / run.total, 1.0)
        rounded = int(100 * share) // _PROGRESS_STEP * _PROGRESS_STEP
        lines.append(f"{bar(share)} %{rounded}")
    return "\n".join([*lines, "Bu arada yanıt vermeye devam ediyorum; bitince haber veririm."])


def report(run: Run) -> str:
    """How a retraining run ended, with the gate's numbers, for admins.

    What matters most comes first: Telegram cuts captions short.
    """
    lines = [f"🎓 Eğitim #{run.id}", ENDS[run.state]]
    if run.state is RunState.PROMOTED:
        lines.append("↩️ Geri dönmek için: /geri_al")
    if run.model_version:
        lines.append(f"🤖 {run.model_version}")
    lines.append(" · ".join(facts(run)))
    if step := last_step(run):
        lines += ["", step]
    if run.decision:
        if run.decision["objections"]:
            lines += ["", "Neden devreye alınmadı?", *objections(run.decision)]
        lines += ["", *measured(run.decision)]
    return "\n".join(lines)


def last_step(run: Run) -> str:
    """How far a run came that did not come to its end, and why; empty for others.

    The reason is technical, and English.
    """
    if run.state not in {RunState.FAILED, RunState.STOPPED}:
        return ""
    why = f" Ayrıntı: {run.reason}" if run.reason else ""
    return f"Kaldığı adım: {_STEP_NAMES[run.step]}.{why}"


def picture_title(rows: int) -> str:
    """The title of the picture that goes with a report."""
    return f"{count(rows)} test satırı"


def objections(decision: dict[str, Any]) -> list[str]:
    """What spoke against the new version; a line each."""
    return [_objection(objection) for objection in decision["objections"]]


def measured(decision: dict[str, Any]) -> list[str]:
    """Both versions' macro-F1 on each set; a line each."""
    parts = [*decision["frozen"], *([decision["corrections"]] if decision["corrections"] else [])]
    return [
        f"🎯 {_set_name(part['name'])} ({count(part['rows'])} satır): Makro-F1 "
        f"{decimal(part['champion'])} → {decimal(part['challenger'])}"
        for part in parts
    ]


def _objection(objection: dict[str, Any]) -> str:
    # The gate's Shortcoming would bring the model library along.
    name, before, after = (objection[key] for key in ("name", "before", "after"))
    change = f"{decimal(before)} → {decimal(after)}"
    match objection["what"]:
        case "macro_f1":
            words = f"Makro-F1 düştü ({change})"
        case "drift":
            words = f"Makro-F1 şimdiye dek çalışan en iyi modelin çok altında ({change})"
        case "recall":
            label = Label(objection["label"])
            words = f"{label.turkish} mesajların daha azını buluyor ({change})"
        case "calibration":
            words = f"güven puanları daha az güvenilir (ECE {change})"
        case "no_gain":
            words = f"isabeti artmadı ({percent(before)} → {percent(after)})"
        case "too_few":
            words = f"test için yalnızca {count(int(after))} satır ayrılabildi; bu çok az"
        case _:  # of a newer version
            words = f"ölçütü karşılamadı ({change})"
    return f"• {_set_name(name)}: {words}"


def _set_name(name: str) -> str:
    return "son düzeltmeler" if name == "corrections" else name


def facts(run: Run) -> list[str]:
    """How many corrections it had, how long it took and what started it."""
    found = [] if run.corrections is None else [f"{count(run.corrections)} düzeltme"]
    if run.finished_at:
        minutes = (run.finished_at - run.started_at).total_seconds() / 60
        found.append(f"{count(round(minutes))} dk" if minutes >= 1 else "1 dakikadan kısa")
    return [*found, _TRIGGERS[run.trigger]]
