"""Every text that users read, in Turkish. Plain text: no markup, so nothing needs escaping."""

from typing import Any

from tweetsent.errors import Lack, NotReadyError
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.records import (
    ActivatedBy,
    Consent,
    Correction,
    ModelInfo,
    Reason,
    ReviewItem,
    Run,
    RunState,
    RunStep,
    Stats,
    Trigger,
)

_BAR_CELLS = 10
_LONGEST_REVIEWED_TEXT = 1500
_SHOWN_MODELS = 3

COMMANDS = {
    "yardim": "Neler yapabildiğim",
    "duzelt": "Bir sonucu düzelt",
    "gizlilik": "Neyi, neden sakladığım",
    "onay": "Düzeltmelerimle öğrenmene izin ver",
    "onay_geri": "Verdiğim izni geri al",
}
"""The command menu."""

START = """Merhaba! 👋 Türkçe mesajların duygusunu söylerim: 😞 olumsuz, 😐 tarafsız, 😊 olumlu.

Bana bir mesaj yaz ya da ilet; gerisini bana bırak.
Yanılırsam sonucun altındaki düğmelerden doğrusunu seç.

Ayrıntılar: /yardim · Verilerin: /gizlilik"""

HELP = """Neler yapabilirim?

💬 Yazdığın, ilettiğin mesajların ve fotoğraf, video, belge açıklamalarının duygusunu söylerim.
👥 Gruplarda yalnızca benden söz edersen ya da bana yanıt verirsen konuşurum.
✏️ Yanıldıysam sonucun altından doğru etiketi seç. Ya da sonuca (veya mesajın kendisine) yanıt \
olarak /duzelt olumlu yaz; etiketsiz /duzelt yazarsan seçenekleri gösteririm.
🔒 /gizlilik: neyi, neden sakladığım
🎓 /onay, /onay_geri: düzeltmelerinle öğrenmeme izin ver ya da iznini geri al"""

HELP_FOR_ADMINS = f"""{HELP}

Yöneticiler için:
📊 /stats: sayılar ve isabet
🗂 /inceleme: eğitime girmeden önce bakılması gereken düzeltmeler
🎓 /egit: düzeltmelerle yeniden eğit; yeni model daha iyiyse devreye girer
🤖 /model: hangi model yanıtlıyor · ↩️ /geri_al: bir önceki modele dön"""

_PRIVACY = """🔒 Gizlilik

Ne saklıyorum?
• Değerlendirdiğim mesajın temizlenmiş metni
• Senin ve sohbetin takma kimliği (adın ve Telegram numaran değil, onlardan türetilen bir kod)
• Sonuç, puanları ve yaptığın düzeltmeler
• Yanıtım yarıda kalmasın diye, Telegram'dan gelen iletinin kendisi: işlenene kadar, \
işlenemezse bir hafta

Neden? Sana yanıt verebilmek, düzeltmeni doğru mesaja yazmak ve ne kadar isabetli olduğumu \
ölçmek için. Gruplarda yalnızca bana yöneltilen mesajları değerlendiririm.

Eğitim: Düzeltmelerin yalnızca onay verdiysen eğitimde kullanılır. Onay: /onay · \
Geri almak için: /onay_geri
Onay verdiysen, eğitime girmeden önce bir yönetici düzeltmene ve mesajının metnine bakabilir; \
kimin yazdığını görmez.
Metinler bu botun çalıştığı bilgisayarda değerlendirilir, başka bir yapay zekâ hizmetine \
gönderilmez."""

_CONSENT_STATE = {
    Consent.UNASKED: "Şu an: onay vermedin.",
    Consent.GRANTED: "Şu an: onay verdin. ✅",
    Consent.REFUSED: "Şu an: onay vermedin.",
}

_ACTIVATED_BY = {
    ActivatedBy.GATE: "yeniden eğitimde daha iyi çıktı",
    ActivatedBy.ADMIN: "bir yönetici etkinleştirdi",
    ActivatedBy.CLI: "komut satırından etkinleştirildi",
}

CONSENT_QUESTION = """🎓 Küçük bir soru: Düzeltmelerini, mesajlarının metniyle birlikte, modeli \
eğitmek için kullanabilir miyim?

Adın ve numaran kullanılmaz; gerekirse bir yönetici metne bakıp düzeltmeyi onaylar. \
Kararını /onay ve /onay_geri ile dilediğin an değiştirebilirsin. \
Hayır dersen de her şey aynı şekilde çalışır."""
CONSENT_YES = "✅ Evet, kullan"
CONSENT_NO = "Hayır"
CONSENT_GRANTED = "🎓 Teşekkürler! Düzeltmelerini eğitimde kullanabilirim. Vazgeçersen: /onay_geri"
CONSENT_REFUSED = (
    "Tamam, düzeltmelerini eğitimde kullanmayacağım. Fikrin değişirse /onay yazman yeterli."
)
CONSENT_NOT_YOURS = "Bu soru başkasına soruldu. Kendi kararın için: /onay ya da /onay_geri"

CORRECT_HINT = "Yanıldıysam doğrusuna dokun 👇"
CORRECT_WHICH = "Doğrusu hangisi? 👇"
CORRECT_WHAT = (
    "Hangi sonucu düzelteyim? Sonuca ya da mesajın kendisine yanıt olarak /duzelt yaz, "
    "örneğin: /duzelt olumlu"
)
BUTTON_SAVED = "Kaydettim 👍"
BUTTON_DONE = "Tamam 👍"
BUTTON_UNKNOWN = "Bu düğme artık geçerli değil. Mesajı yeniden gönderebilirsin."

ADMINS_ONLY = "Bu komut yalnızca botun yöneticileri için. Sana /yardim ile yardımcı olabilirim 🙂"
REVIEW_ACCEPT = "✅ Kabul"
REVIEW_REJECT = "❌ Ret"
REVIEW_SKIP = "⏭ Atla"
REVIEW_SKIPPED = "Atladım"
REVIEW_TOO_LATE = (
    "Bu düzeltme artık beklemiyor: başka bir yönetici karar vermiş, kullanıcı değiştirmiş ya da "
    "onayını geri almış olabilir."
)
REVIEW_IN_PRIVATE = (
    "Kullanıcı mesajlarını burada göstermeyeyim; /inceleme komutunu bana özelden yaz."
)
_REVIEW_REASONS = {
    Reason.DISAGREEMENT: "Kullanıcılar anlaşamadı.",
    Reason.SINGLE_VOICE: "Mesajın sahibi değil, başka tek bir kullanıcı düzeltti.",
    Reason.MODEL_IS_SURE: "Model başka bir etiketten çok emin.",
    Reason.OFTEN_OVERRULED: "Bu kullanıcının düzeltmelerinin çoğu reddedildi.",
    Reason.OFTEN_CONTRARY: "Bu kullanıcı, modelin çok emin olduğu sonuçları sık sık değiştiriyor.",
    Reason.SUSPICIOUS_LABEL: "Eğitim öncesi kontrolde etiket şüpheli çıktı.",
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

_STEPS = {
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
_ENDS = {
    RunState.PROMOTED: "✅ Bitti: yeni model devrede.",
    RunState.REFUSED: "🟡 Bitti: yeni model devreye alınmadı.",
    RunState.FAILED: "⚠️ Yarıda kaldı; şimdiki model çalışmaya devam ediyor.",
}
_TRIGGERS = {
    Trigger.SCHEDULE: "zamanlamayla başladı",
    Trigger.ADMIN: "/egit ile başladı",
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
    Lack.CORRECTIONS: "Eğitimde kullanılabilecek {found} düzeltme var; en az {needed} gerekiyor. "
    "Bekleyenlere /inceleme ile bakabilirsin.",
    Lack.NEW_CORRECTIONS: "Son eğitimden beri {found} yeni düzeltme geldi; en az {needed} "
    "gerekiyor.",
}
_PROGRESS_STEP = 5

STATS_PICTURE_TITLE = "Düzeltmelere göre isabet"
STATS_PICTURE_ROWS = "Kullanıcının dediği"
STATS_PICTURE_COLUMNS = "Modelin dediği"
STATS_PICTURE_CAPTION = "Satırlar kullanıcıların, sütunlar modelin dediği."

UNSUPPORTED = (
    "Bunu okuyamıyorum 🙈 Bana bir metin yaz, bir mesaj ilet ya da açıklamalı bir fotoğraf, "
    "video veya belge gönder; duygusunu söyleyeyim."
)
UNKNOWN_COMMAND = "Bu komutu bilmiyorum. Neler yapabildiğim burada: /yardim"
NO_WORDS = "Burada değerlendirebileceğim bir söz bulamadım. Birkaç kelime yazar mısın?"
NOT_FOUND = (
    "Bu mesajı değerlendirmemiştim, o yüzden düzeltecek bir sonuç yok. Sonuca ya da bana "
    "gönderdiğin mesaja yanıt ver; yeni bir mesajsa önce bana gönder."
)
MODEL_ERROR = "Şu an mesajları değerlendiremiyorum 😕 Biraz sonra yeniden dener misin?"
STORE_ERROR = "Şu an kayıtlarıma ulaşamıyorum 😕 Biraz sonra yeniden dener misin?"
ERROR = "Bir şeyler ters gitti 😕 Biraz sonra yeniden dener misin?"

CHAT_NO_BUTTON = "Seçilecek böyle bir düğme yok."


def name(label: Label) -> str:
    """A label as users see it: face and word."""
    return f"{label.emoji} {label.turkish}"


def answer(scores: Scores) -> str:
    """The answer to a message: label, confidence, bar and all three scores."""
    return f"{_result(scores)}\n\n{CORRECT_HINT}"


def _result(scores: Scores) -> str:
    filled = round(scores.confidence * _BAR_CELLS)
    compact = " · ".join(f"{label.emoji} {_percent(scores.of(label))}" for label in LABELS)
    return (
        f"{name(scores.label)} · {_percent(scores.confidence)}\n"
        f"{'▰' * filled}{'▱' * (_BAR_CELLS - filled)}\n"
        f"{compact}"
    )


def correction(change: Correction) -> str:
    """What a correction did: the label before and after."""
    if change.old == change.new:
        return f"✅ Kaydettim: {name(change.new)}"
    return f"✏️ Düzelttim: {name(change.old)} → {name(change.new)}. Teşekkürler!"


def corrected_answer(change: Correction) -> str:
    """The answer again, with the correction under it."""
    return f"{_result(change.prediction.scores)}\n\n{correction(change)}"


def unknown_label(word: str) -> str:
    """The reply to `/duzelt` with a word that names no label."""
    shown = word if len(word) <= 30 else f"{word[:30]}…"
    return (
        f"“{shown}” diye bir etiket bilmiyorum. Şöyle yazabilirsin:\n"
        "😞 olumsuz, negatif, kötü, -\n"
        "😐 tarafsız, nötr, yansız, =\n"
        "😊 olumlu, pozitif, iyi, +\n"
        "Ya da aşağıdan seç 👇"
    )


def privacy(consent: Consent) -> str:
    """What is stored and why, and this user's own word on training."""
    return f"{_PRIVACY}\n\n{_CONSENT_STATE[consent]}"


def review(item: ReviewItem, left: int) -> str:
    """A correction that waits for an admin, with all there is to know; `left` counts it too."""
    text = item.text
    if len(text) > _LONGEST_REVIEWED_TEXT:
        text = f"{text[:_LONGEST_REVIEWED_TEXT]}…"
    lines = [
        f"🗂 İnceleme · kalan: {_count(left)}",
        "",
        f"“{text}”",
        "",
        f"🤖 Model: {name(item.scores.label)} · {_percent(item.scores.confidence)}",
        f"👤 Kullanıcı: {name(item.label)}",
    ]
    if item.others:
        others = " · ".join(f"{name(label)} ×{count}" for label, count in item.others.items())
        lines.append(f"👥 Başkaları: {others}")
    reason = _REVIEW_REASONS.get(item.reason)
    return "\n".join([*lines, f"❓ {reason}"] if reason else lines)


def review_end(skipped: int) -> str:
    """What comes after the last correction that waits."""
    if skipped:
        return f"🗂 Sıranın sonu. Atlananlar: {_count(skipped)}. Onlara dönmek için: /inceleme"
    return "🗂 İncelenecek düzeltme kalmadı. 🎉"


def stats(numbers: Stats) -> str:
    """The statistics for admins."""
    labels = " · ".join(
        f"{label.emoji} {_count(numbers.by_label.get(label, 0))}" for label in LABELS
    )
    lines = [
        "📊 İstatistikler",
        f"👥 Kullanıcı: {_count(numbers.users)}",
        f"💬 Tahmin: {_count(numbers.predictions)} "
        f"(son 24 saatte {_count(numbers.predictions_last_day)})",
        f"     {labels}",
        f"✏️ Düzeltme: {_count(numbers.corrections)} "
        f"(eğitim izni olan: {_count(numbers.trainable_corrections)})",
        _quality(numbers),
    ]
    if numbers.latency_ms_p50 is not None and numbers.latency_ms_p95 is not None:
        lines.append(
            f"⚡ Süre: ortanca {numbers.latency_ms_p50:.0f} ms, "
            f"%95'i en çok {numbers.latency_ms_p95:.0f} ms"
        )
    models = list(numbers.by_model.items())[:_SHOWN_MODELS]
    lines += [f"🤖 {version}: {_count(count)} tahmin" for version, count in models]
    return "\n".join(lines)


def _quality(numbers: Stats) -> str:
    if numbers.accuracy is None or numbers.macro_f1 is None:
        return "🎯 Henüz düzeltme yok; isabeti ölçmek için önce düzeltme gerekiyor."
    return (
        f"🎯 Düzeltmelere göre doğruluk: {_percent(numbers.accuracy)} · "
        f"Makro-F1: {_decimal(numbers.macro_f1)}"
    )


def model(info: ModelInfo) -> str:
    """Which version answers, since when and by whom, for admins."""
    lines = [f"🤖 Model: {info.version}"]
    if info.is_pinned:
        return "\n".join([*lines, "Ayarlarda (TWEETSENT_ADAPTER) seçili; sürümler kullanılmıyor."])
    if info.serving is None:
        return "\n".join([*lines, "Kurulumla gelen model; henüz başka bir sürüm etkinleşmedi."])
    serving = info.serving
    if serving.model.version != info.version:
        lines.append(f"⏳ Etkin sürüm henüz yüklenmedi: {serving.model.version}")
    began = serving.activation
    lines.append(f"📅 {began.at:%d.%m.%Y %H:%M} (UTC) · {_ACTIVATED_BY[began.by]}")
    if began.reason:
        lines.append(f"📝 {began.reason}")
    for file, score in serving.model.macro_f1.items():
        lines.append(f"🎯 {file}: Makro-F1 {_decimal(score)}")
    lines.append(
        f"↩️ Önceki: {serving.previous or 'yok'}" + (" (/geri_al)" if serving.previous else "")
    )
    lines.append(f"🗂 Kayıtlı sürüm: {_count(serving.versions)}")
    return "\n".join(lines)


def roll_back_question(active: str, previous: str) -> str:
    """Asks an admin whether to go back."""
    return f"Şu an {active} çalışıyor. Önceki sürüme, {previous}, dönülsün mü?"


def rolled_back(version: str) -> str:
    """Going back was recorded; the bots load the version."""
    return f"↩️ {version} yeniden etkin. Birkaç saniye içinde yanıtlar ondan gelir."


def not_ready(error: NotReadyError) -> str:
    """Why a retraining run can't begin."""
    text = _LACKS[error.lack].format(
        found=_count(error.found), needed=_count(error.needed), path=error.path
    )
    return f"🎓 Eğitim başlamadı. {text}"


def run_not_started(detail: str) -> str:
    """A retraining run ended before it began; `detail` is technical, and English."""
    return f"⚠️ Eğitim başlayamadı. Ayrıntı: {detail}"


def run_progress(run: Run) -> str:
    """Where a retraining run stands, or that it ended; changes with each twentieth of a step."""
    title = f"🎓 Eğitim #{run.id}"
    if run.state is not RunState.RUNNING:
        return f"{title}\n{_ENDS[run.state]}"
    lines = [title, f"⏳ {_STEPS[run.step]}"]
    if run.total:
        share = min(run.done / run.total, 1.0)
        filled = int(share * _BAR_CELLS)
        percent = int(100 * share) // _PROGRESS_STEP * _PROGRESS_STEP
        lines.append(f"{'▰' * filled}{'▱' * (_BAR_CELLS - filled)} %{percent}")
    return "\n".join([*lines, "Bu arada yanıt vermeye devam ediyorum; bitince haber veririm."])


def run_report(run: Run) -> str:
    """How a retraining run ended, with the gate's numbers, for admins.

    What matters most comes first: Telegram cuts captions short.
    """
    lines = [f"🎓 Eğitim #{run.id}", _ENDS[run.state]]
    if run.state is RunState.PROMOTED:
        lines.append("↩️ Geri dönmek için: /geri_al")
    if run.model_version:
        lines.append(f"🤖 {run.model_version}")
    lines.append(" · ".join(_facts(run)))
    if run.state is RunState.FAILED:
        lines += ["", f"Kaldığı adım: {_STEP_NAMES[run.step]}. Ayrıntı: {run.reason}"]
    if run.decision:
        if run.decision["objections"]:
            lines += ["", "Neden devreye alınmadı?", *map(_objection, run.decision["objections"])]
        lines += ["", *_measured(run.decision)]
    return "\n".join(lines)


def run_picture_title(rows: int) -> str:
    """The title of the picture that goes with a report."""
    return f"{_count(rows)} test satırı"


def _measured(decision: dict[str, Any]) -> list[str]:
    parts = [*decision["frozen"], *([decision["corrections"]] if decision["corrections"] else [])]
    return [
        f"🎯 {_set_name(part['name'])} ({_count(part['rows'])} satır): Makro-F1 "
        f"{_decimal(part['champion'])} → {_decimal(part['challenger'])}"
        for part in parts
    ]


def _objection(objection: dict[str, Any]) -> str:
    # The gate's Shortcoming would bring the model library along.
    name, before, after = (objection[key] for key in ("name", "before", "after"))
    change = f"{_decimal(before)} → {_decimal(after)}"
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
            words = f"isabeti artmadı ({_percent(before)} → {_percent(after)})"
        case "too_few":
            words = f"test için yalnızca {_count(int(after))} satır ayrılabildi; bu çok az"
        case _:  # of a newer version
            words = f"ölçütü karşılamadı ({change})"
    return f"• {_set_name(name)}: {words}"


def _set_name(name: str) -> str:
    return "son düzeltmeler" if name == "corrections" else name


def _facts(run: Run) -> list[str]:
    facts = [] if run.corrections is None else [f"{_count(run.corrections)} düzeltme"]
    if run.finished_at:
        minutes = (run.finished_at - run.started_at).total_seconds() / 60
        facts.append(f"{_count(round(minutes))} dk" if minutes >= 1 else "1 dakikadan kısa")
    return [*facts, _TRIGGERS[run.trigger]]


def buttons_hint(labels: list[str]) -> str:
    """The buttons of a message where there is nothing to tap: in the terminal."""
    numbered = "  ".join(f"[{number}] {text}" for number, text in enumerate(labels, 1))
    keys = ", ".join(f"/{number}" for number in range(1, len(labels) + 1))
    return f"{numbered}  (seçmek için {keys})"


def _percent(share: float) -> str:
    return f"%{100 * share:.0f}"


def _decimal(number: float) -> str:
    return f"{number:.2f}".replace(".", ",")


def _count(number: int) -> str:
    return f"{number:,}".replace(",", ".")
