"""Files that come back labelled: progress, questions, results and what can't be read."""

from collections.abc import Sequence

from bot.texts.wording import bar, count, name, percent, shortened
from tweetsent.errors import DataError, Flaw
from tweetsent.files import Sheets
from tweetsent.labelling import MOST_COLUMNS, Summary
from tweetsent.labels import LABELS

_LONGEST_NAME = 40
_LONGEST_SAMPLE = 60
_LONGEST_BUTTON = 30
_MOST_SHEETS = 3
RESULT_SUFFIX = "-duygu"
"""What the name of a labelled file has behind that of the file itself."""
CANCEL = "✖️ İptal"
CANCELLED = "✖️ İptal ettim. Dosyan silindi."
ALREADY_CHOSEN = "Seçimini aldım ya da bu dosyanın işi bitti."
NOT_SENT = (
    "Sonucu hazırladım ama Telegram'a gönderemedim 😕 Biraz sonra dosyayı yeniden gönderir misin?"
)
TOO_LATE = "Bu dosyanın işi zaten bitmiş."
NOT_YOURS = "Bu dosyayı başkası gönderdi; yalnızca gönderen karar verebilir."
QUEUED = "📄 Dosyanı aldım, birazdan okuyorum…"
ALREADY_ONE = (
    "Şu an başka bir dosyanı etiketliyorum. Bitince yenisini gönderebilirsin; beklemek "
    "istemezsen onu iptal et. Mesajlarını bu arada da yanıtlarım."
)
OTHER_KIND = (
    "Bu tür dosyaları okuyamıyorum. Excel'de açıp .xlsx ya da .csv olarak kaydet ve yeniden gönder."
)
INTERRUPTED = "⚠️ Dosyanı etiketlerken yarıda kaldım. Sonuç sana ulaşmadıysa yeniden gönder."
UNREACHABLE = "⚠️ Dosyayı Telegram'dan alamadım. Yeniden gönderir misin?"
NO_TEXT_COLUMN = (
    "⚠️ Metinlerin hangi sütunda olduğunu bulamadım. O sütunun başlığını “metin” yap ve dosyayı "
    "yeniden gönder."
)
_BROKEN = "Dosyayı okuyamadım: bozuk ya da uzantısı yanlış olabilir. Yeniden kaydedip gönder."
_FLAWS = {
    Flaw.EMPTY: "Dosyada okunacak satır yok.",
    Flaw.PROTECTED: "Dosya parola korumalı. Parolasını kaldırıp yeniden gönder.",
    Flaw.OLD_OFFICE: "Bu eski biçimde bir Excel dosyası. Excel'de açıp .xlsx olarak kaydet.",
    Flaw.NO_WORKBOOK: "Adı .xlsx ama Excel dosyası değil ya da bozuk. Yeniden kaydedip gönder.",
    Flaw.WORKBOOK: "Bu bir Excel dosyası ama uzantısı farklı. Adını .xlsx yapıp yeniden gönder.",
    Flaw.UNPACKED_SIZE: "Dosya açılınca çok büyüyor; bu yüzden okumadım. Bölüp yeniden gönder.",
    Flaw.ENCODING: "Dosyadaki harfler bozuk görünüyor. UTF-8 olarak kaydedip yeniden gönder.",
    Flaw.QUOTE: "Bir tırnak açılmış ama kapanmamış.",
    Flaw.CELLS: "Bir satırda başlıktan fazla hücre var. İçinde ayırıcı geçen metinleri tırnak "
    "içine al.",
    Flaw.NO_HEADER: "İlk satırda sütun adları olmalı. En üste, örneğin “metin” yazan bir başlık "
    "satırı ekle.",
    Flaw.COLUMNS: f"Çok fazla sütun var; en çok {MOST_COLUMNS} olabilir.",
    Flaw.SLOW: "Dosyayı okumak çok uzun sürdü, bu yüzden bıraktım. Bölüp yeniden gönder.",
    Flaw.LONG_TEXT: "Bir metin, tek hücreye sığmayacak kadar uzun. Onu bölüp yeniden gönder.",
}
_FAILED = "⚠️ Dosyanı etiketleyemedim."


def too_big(megabytes: int) -> str:
    """A file is larger than is allowed."""
    return f"Dosya çok büyük; en çok {megabytes} MB okuyabilirim. Bölüp yeniden gönder."


def quota(per_day: int) -> str:
    """A user has sent as many files as they may."""
    return f"Bugünlük sınıra ulaştın: 24 saatte en çok {count(per_day)} dosya etiketliyorum."


def flaw(error: DataError, most_rows: int) -> str:
    """What is wrong with a file, and what to do about it."""
    if error.flaw is Flaw.ROWS:
        return f"⚠️ Çok fazla satır var; en çok {count(most_rows)} olabilir. Bölüp yeniden gönder."
    text = _FLAWS[error.flaw] if error.flaw else _BROKEN
    return f"⚠️ {text} (Satır {count(error.line)})" if error.line else f"⚠️ {text}"


def failed(reason: str) -> str:
    """Labelling ended by no fault of the file."""
    return f"{_FAILED} {reason}"


def progress(file_name: str, done: int, total: int) -> str:
    """How much of a file is labelled."""
    share = done / total
    return (
        f"📄 {shortened(file_name, _LONGEST_NAME)}\n"
        f"{bar(share)} {percent(share)} · {count(done)} / {count(total)} farklı metin\n"
        "Bu arada mesajlarını yanıtlamaya devam ediyorum."
    )


def column_question(samples: Sequence[tuple[str, str]]) -> str:
    """Asks which column holds the texts; each comes with one of its cells."""
    lines = [
        f"{number}. {shortened(column, _LONGEST_NAME)}: “{shortened(sample, _LONGEST_SAMPLE)}”"
        for number, (column, sample) in enumerate(samples, 1)
    ]
    return "\n".join(["Duygusunu söyleyeceğim metinler hangi sütunda? 👇", "", *lines])


def column_button(number: int, column: str) -> str:
    """A column to choose."""
    return f"{number}. {shortened(column, _LONGEST_BUTTON)}"


def chosen(column: str) -> str:
    """Which column is read."""
    return f"Sütun: {shortened(column, _LONGEST_NAME)}"


def done(file_name: str) -> str:
    """The labelled file was sent."""
    return f"✅ {shortened(file_name, _LONGEST_NAME)} hazır."


def caption(file_name: str, column: str, summary: Summary, sheets: Sheets | None) -> str:
    """The summary that goes with a labelled file; far shorter than Telegram allows."""
    lines = [
        f"📄 {shortened(file_name, _LONGEST_NAME)} · {count(summary.rows)} satır",
        *(
            f"{name(label)}: {count(summary.by_label[label])} ({percent(summary.share(label))})"
            for label in LABELS
        ),
    ]
    if summary.wordless:
        lines.append(f"Söz bulunmayan satır: {count(summary.wordless)}")
    lines.append(chosen(column))
    if sheets and (sheets.others or sheets.hidden):
        lines.append(f"Sayfa: {shortened(sheets.read, _LONGEST_NAME)}")
    if sheets and sheets.others:
        lines.append(f"Okunmayan sayfalar: {_listed(sheets.others)}")
    if sheets and sheets.hidden:
        lines.append(f"Gizli sayfaları okumam: {_listed(sheets.hidden)}")
    return "\n".join(lines)


def picture_title(summary: Summary) -> str:
    """The title of the picture that goes with a labelled file."""
    return f"{count(summary.rows - summary.wordless)} metnin duygusu"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(shortened(one, _LONGEST_NAME) for one in names[:_MOST_SHEETS])
    more = len(names) - _MOST_SHEETS
    return f"{shown} ve {count(more)} sayfa daha" if more > 0 else shown
