"""What users read of their own data: history, numbers, the file to take along, being forgotten."""

from typing import Any

from bot.texts.wording import bar, count, date, moment, name, percent, shortened
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.own_data import (
    Contact,
    HistoryPage,
    Holdings,
    OwnCorrection,
    OwnMessage,
    OwnNumbers,
    Person,
)
from tweetsent.records import Consent, CorrectionState, FileState

_SHOWN_CHARS = 160
IN_PRIVATE = "Sana ait bilgileri grupta göstermeyeyim; bu komutu bana özelden yaz 🙂"
NEWER = "◀️ Daha yeni"
OLDER = "Daha eski ▶️"
NO_HISTORY = "Burada gösterecek bir mesajın yok. Bana bir mesaj yaz; duygusunu söyleyeyim."
NO_NUMBERS = "Senden henüz hiçbir şey saklamadım. Bana bir mesaj yaz; duygusunu söyleyeyim."
FILE_NAME = "verilerim.json"
FILE_CAPTION = (
    "📦 Senin hakkında sakladığım her şey bu dosyada; yalnızca işlenemeyip bir hafta bekleyen "
    "iletiler yok. Başka bir şey bilmiyorum. Silmek için: /unut"
)
FILE_TOO_LARGE = (
    "Verilerin Telegram'ın izin verdiği dosya boyunu (50 MB) aşıyor; dosyayı gönderemedim. "
    "Hiçbiri silinmedi; botun sahibinden isteyebilirsin."
)
ERASE_YES = "🗑 Evet, hepsini sil"
ERASE_NO = "Vazgeç"
ERASE_CANCELLED = "Tamam, hiçbir şey silmedim."
ERASED = (
    "🗑 Seni unuttum: mesajların, sonuçları, düzeltmelerin, onayın ve öteki kayıtların silindi. "
    "Yeniden yazarsan sıfırdan tanışırız 👋"
)
_ERASE_QUESTION = """🗑 Seninle ilgili her şeyi sileyim mi?

Silinecekler:
• {messages} mesaj ve sonucu (gruplarda yazdıkların da)
• {corrections} düzeltme (başkalarının senin mesajlarına yaptıkları da)
• Eğitim onayın, takma kimliğin ve içinde olabileceğin eğitim kümeleri
• Duyurular için sohbetinin numarası ve gönderdiğin dosyaların kaydı; süren bir dosya işi biter

Bu geri alınamaz. Önce bir kopyasını istersen: /verilerim

Silemediklerim: Eğitilmiş modeller öğrendiklerini unutmaz, şu an süren bir eğitim de elindekiyle \
biter. Bot sahibinin aldığı yedeklere ve bu sohbetin Telegram'daki kopyasına da ulaşamam."""
_LABELS = {Label.NEGATIVE: "olumsuz", Label.NEUTRAL: "tarafsız", Label.POSITIVE: "olumlu"}
_CONSENTS = {Consent.UNASKED: "sorulmadı", Consent.GRANTED: "evet", Consent.REFUSED: "hayır"}
_STATES = {
    CorrectionState.PENDING: "bekliyor",
    CorrectionState.ACCEPTED: "kabul",
    CorrectionState.REJECTED: "ret",
    CorrectionState.DISPUTED: "anlaşmazlık",
}
_FILE_STATES = {
    FileState.RUNNING: "sırada",
    FileState.WAITING: "sütun seçimi bekliyor",
    FileState.DELIVERING: "gönderiliyor",
    FileState.DONE: "bitti",
    FileState.CANCELLED: "iptal",
    FileState.FAILED: "olmadı",
}
FILE_MESSAGES = "mesajlar"
FILE_CORRECTIONS = "düzeltmeler"
_FILE_NOTE = (
    "Bu botun senin hakkında sakladığı her şey. Saatler UTC. İşlenemeyen iletiler en çok bir hafta "
    "saklanır ve burada yer almaz. Başkalarının mesajlarına yaptığın düzeltmelerde mesajın metni "
    "yoktur."
)


def history(page: HistoryPage) -> str:
    """One page of a user's messages, with the model's word and their own."""
    if not page.messages:
        return NO_HISTORY
    first, last = page.newer + 1, page.newer + len(page.messages)
    title = f"🗂 Geçmişin · {count(first)}–{count(last)} / {count(page.total)}"
    return "\n\n".join([title, *map(_entry, page.messages)])


def _entry(message: OwnMessage) -> str:
    where = "".join([" · 👥 grup" * message.is_group, " · ↪️ iletilmiş" * message.is_forward])
    scores = message.scores
    lines = [
        f"📅 {moment(message.created_at)}{where}",
        f"“{shortened(message.text, _SHOWN_CHARS)}”",
        f"{name(scores.label)} · {percent(scores.confidence)}",
    ]
    if message.own_label is not None:
        lines.append(f"✏️ Senin dediğin: {name(message.own_label)}")
    return "\n".join(lines)


def numbers(own: OwnNumbers | None) -> str:
    """A user's own statistics."""
    if own is None:
        return NO_NUMBERS
    messages = sum(own.by_label.values())
    lines = [
        "📊 Senin sayıların",
        f"📅 {date(own.known_since)} tarihinden beri tanışıyoruz",
        f"💬 Mesaj: {count(messages)}",
    ]
    for label in LABELS if messages else ():
        made = own.by_label[label]
        lines.append(f"{label.emoji} {bar(made / messages)} {count(made)}")
    lines.append(f"✏️ Verdiğin etiket: {count(own.corrections)}")
    if own.corrections:
        lines.append(f"🤝 Modelle aynı olan: {percent(own.agreeing / own.corrections)}")
    return "\n".join(lines)


def erase_question(holdings: Holdings) -> str:
    """Says what is going to be erased, and what can't be."""
    return _ERASE_QUESTION.format(
        messages=count(holdings.messages), corrections=count(holdings.corrections)
    )


def person_as_json(person: Person | None, contact: Contact) -> dict[str, Any]:
    """What the file says of the user alone."""
    beside = {
        "açıklama": _FILE_NOTE,
        "duyurular için sohbetin Telegram numarası": (
            "saklı" if contact.gets_announcements else "saklı değil"
        ),
        "dosyalar": [
            {
                "ad": file.name,
                "durum": _FILE_STATES[file.state],
                "tarih": file.created_at.isoformat(),
            }
            for file in contact.files
        ],
    }
    if person is None:
        return beside
    return beside | {
        "takma kimlik": person.pseudonym,
        "ilk kayıt": person.known_since.isoformat(),
        "eğitim onayı": {
            "yanıt": _CONSENTS[person.consent],
            "tarih": person.consent_at and person.consent_at.isoformat(),
            "soru metninin sürümü": person.consent_version,
            "kendiliğinden soruldu": person.asked_at and person.asked_at.isoformat(),
        },
    }


def message_as_json(message: OwnMessage) -> dict[str, Any]:
    """What the file says of a message."""
    return {
        "no": message.id,
        "metin": message.text,
        "tarih": message.created_at.isoformat(),
        "sohbetin takma kimliği": message.chat,
        "Telegram mesaj numarası": message.message_id,
        "grupta": message.is_group,
        "iletilmiş": message.is_forward,
        "sonuç": _LABELS[message.scores.label],
        "puanlar": _scores(message.scores),
        "model": message.model_version,
        "istem": message.prompt_version,
        "süre (ms)": round(message.latency_ms, 1),
        "parça sayısı": message.parts,
        "albüm": message.album,
        "düzenlendi": message.edited_at and message.edited_at.isoformat(),
        "yanıtın Telegram mesaj numarası": message.answer_message_id,
    }


def correction_as_json(correction: OwnCorrection) -> dict[str, Any]:
    """What the file says of a correction."""
    return {
        "mesaj no": correction.prediction_id,
        "etiket": _LABELS[correction.label],
        "tarih": correction.created_at.isoformat(),
        "değiştirildi": correction.superseded_at and correction.superseded_at.isoformat(),
        "eğitim için durumu": _STATES[correction.state],
        "durumun nedeni": correction.reason,
        "karar tarihi": correction.decided_at and correction.decided_at.isoformat(),
    }


def _scores(scores: Scores) -> dict[str, float]:
    return {_LABELS[label]: round(scores.of(label), 4) for label in LABELS}
