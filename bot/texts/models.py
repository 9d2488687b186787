"""Which version of the model answers, and going back to the one before."""

from bot.texts.wording import count, decimal
from tweetsent.records import ActivatedBy, Activation, FaultKind, ModelFault, ModelInfo

_ACTIVATED_BY = {
    ActivatedBy.GATE: "yeniden eğitimde daha iyi çıktı",
    ActivatedBy.ADMIN: "bir yönetici etkinleştirdi",
    ActivatedBy.CLI: "komut satırından etkinleştirildi",
    ActivatedBy.SHIPPED: "kurulumla geldi",
}
_ROLLED_BACK_BY = {
    ActivatedBy.ADMIN: "bir yönetici geri döndü",
    ActivatedBy.CLI: "komut satırından geri dönüldü",
}
ROLL_BACK_YES = "✅ Evet, dön"
ROLL_BACK_NO = "Hayır"
ROLL_BACK_CANCELLED = "Tamam, model olduğu gibi kaldı."
ROLL_BACK_NOWHERE = "Geri dönülecek bir sürüm yok; şimdiki modelden öncesi kayıtlı değil."
ROLL_BACK_REFUSED = (
    "Geri dönemedim: bu arada başka bir sürüm etkinleşmiş ya da önceki sürümün dosyaları silinmiş. "
    "Şu anki durum: /model"
)
ROLL_BACK_DAMAGED = (
    "Geri dönemedim: önceki sürümün dosyaları bozuk. Model olduğu gibi çalışmaya devam ediyor."
)


def activated_by(activation: Activation) -> str:
    """How a version came to serve."""
    ways = _ROLLED_BACK_BY if activation.is_rollback else _ACTIVATED_BY
    return ways[activation.by]


def model(info: ModelInfo) -> str:
    """Which version answers, since when and by whom, for admins."""
    lines = [f"🤖 Model: {info.version}"]
    if info.is_pinned:
        return "\n".join([*lines, "Ayarlarda (TWEETSENT_ADAPTER) seçili; sürümler kullanılmıyor."])
    if info.serving is None:
        return "\n".join([*lines, "Kurulumla gelen model; henüz başka bir sürüm etkinleşmedi."])
    serving = info.serving
    if serving.model.version != info.version:
        why = f"⚠️ yüklenemedi: {info.fault}" if info.fault else "⏳ henüz yüklenmedi"
        lines.append(f"Etkin sürüm: {serving.model.version} ({why})")
    began = serving.activation
    lines.append(f"📅 {began.at:%d.%m.%Y %H:%M} (UTC) · {activated_by(began)}")
    if began.reason:
        lines.append(f"📝 {began.reason}")
    for file, score in serving.model.macro_f1.items():
        lines.append(f"🎯 {file}: Makro-F1 {decimal(score)}")
    lines.append(
        f"↩️ Önceki: {serving.previous or 'yok'}" + (" (/geri_al)" if serving.previous else "")
    )
    lines.append(f"🗂 Kayıtlı sürüm: {count(serving.versions)}")
    return "\n".join(lines)


def fault(fault: ModelFault, serving: str) -> str:
    """Tells an admin what is wrong with a version, and which one answers meanwhile."""
    if fault.kind is FaultKind.LOADING:
        lines = [
            f"⚠️ {fault.version} modeli yüklenemedi.",
            f"Yanıtlar {serving} modelinden geliyor. Dosyaları onarılınca kendiliğinden devreye "
            "girer; vazgeçmek için: /geri_al",
        ]
    else:
        lines = [
            f"⚠️ {fault.version} modeli bozuk sonuçlar veriyor; kullanıcılar yanıt alamıyor.",
            "Önceki sürüme dönmek için: /geri_al",
        ]
    return "\n".join([*lines, f"Ayrıntı: {fault.reason}"])


def roll_back_question(active: str, previous: str) -> str:
    """Asks an admin whether to go back."""
    return f"Şu an {active} çalışıyor. Önceki sürüme, {previous}, dönülsün mü?"


def rolled_back(version: str) -> str:
    """Going back was recorded; the bots load the version."""
    return f"↩️ {version} yeniden etkin. Birkaç saniye içinde yanıtlar ondan gelir."
