"""What only the pages say, in Turkish; what the bot says too comes from its texts."""

from bot.texts.wording import count, duration, percent
from tweetsent.labels import LABELS
from tweetsent.records import ModelState, RunState

# Everywhere
TITLE = "tweetsent: Türkçe mesajların duygusu"
OF_GRADIO = {
    "blocks.connection_can_break": "Telefonda bu sekmeden ayrılırsan bağlantı kopabilir.",
    "blocks.long_requests_queue": "Şu an çok istek var; biraz sürebilir.",
    "blocks.lost_connection": "Bağlantı koptu; yeniden sıraya giriliyor…",
    "blocks.waiting_for_inputs": "Dosya henüz yüklenmedi; yüklenince yeniden dene.",
    "common.clear": "Temizle",
    "common.complete": "Tamamlandı",
    "common.download": "İndir",
    "common.error": "Olmadı",
    "common.loading": "Yükleniyor",
    "common.or": "ya da",
    "common.progress": "İlerleme",
    "common.remove": "Kaldır",
    "file.uploading": "Yükleniyor…",
    "status.queue_position": "Sıradaki yeri: {position} / {size}",
    "upload_text.click_to_upload": "Seçmek için tıkla",
    "upload_text.drop_file": "Dosyayı buraya sürükle",
}
"""What Gradio says itself, for browsers in Turkish, where it lacks some, and in English."""
FIXED_IN_GRADIO = {
    "Click to upload or drop files": "Seçmek için tıkla ya da dosyayı buraya bırak",
    "Close": "Kapat",
    "Connection to the server was lost. Attempting reconnection...": "Sunucuyla bağlantı koptu; "
    "yeniden bağlanmayı deniyorum. Yarım kalan iş sonuçlanmaz.",
    "Error": "Olmadı",
    "File upload": "Dosya",
    "Info": "Tamam",
    "More tabs": "Diğer sekmeler",
    "Select/Deselect All": "Hepsini seç ya da bırak",
    "This application is currently busy. Please try again.": "Şu an çok istek var. Birazdan "
    "yeniden dene.",
    "Warning": "Olmadı",
}
"""What it says in English alone."""
BEGUN_IN_GRADIO = {"Value: ": "Seçtiğin artık listede yok. Sayfayı yenileyip yeniden dene."}
"""The same, by how a longer sentence of it begins."""
DOWNLOAD = "⬇️ Grafiği indir"

# Login
LOGIN = "Yönetim girişi"
LOG_IN = "Giriş yap"
LOG_OUT = "Çıkış yap"
PASSWORD = "Parola"
WRONG_PASSWORD = "Parola yanlış. Yeniden dene."
TOO_MANY_LOGINS = "Çok fazla deneme oldu. Birkaç dakika sonra yeniden dene."
NO_OWNER_PAGES = "Yönetim sayfaları kapalı: açmak için TWEETSENT_UI_PASSWORD ayarını yap."
TO_FRONT = "Deneme sayfası"
OWNER_TITLE = "tweetsent: yönetim"
OWNER_LINK = "Yönetim"

# Dene
TEXT = "Metin"
TEXT_PLACEHOLDER = "Türkçe bir mesaj ya da tweet yaz…"
ASK = "Duygusunu söyle"
EXAMPLES = "Örnekler"
EXAMPLE_TEXTS = (
    "Yeni telefonum bugün geldi, bayıldım 😍",
    "Kargo üç gündür gelmedi, kimse telefona bakmıyor.",
    "Toplantı yarın saat ikide başlıyor.",
)
NO_TEXT = "Önce bir metin yaz."
RECONNECTED = (
    "Bağlantı kopmuştu; sayfayı yeniledim. Metnin duruyor, sonuçları ise yeniden istemen gerekiyor."
)
WHOLE_ONLY = "Kelimelerin etkisini yalnızca tek parçalı metinlerde gösterebiliyorum."
WAITING = "Kelimelerin etkisi hesaplanıyor…"
CORRECT = "Doğrusu hangisi?"
FILE = "📄 Bir dosyayı etiketle"
CHOOSE_FILE = "Dosya"
COLUMN = "Metinlerin sütunu"
PICK_COLUMN = "Metin olabilecek birden çok sütun var. Doğrusunu seç, sonra Etiketle'ye bas."
LABEL_FILE = "Etiketle"
DOWNLOAD_FILE = "⬇️ Etiketlenmiş dosyayı indir"
STOP_FILE = "Durdur"
FILE_STOPPED = "Durdurdum ve dosyanı sildim."
FILE_GONE = "Dosyan on dakikadan uzun bekledi ve silindi. Yeniden gönder."
WAITING_TURN = "Sıradasın: önce gönderilen dosyalar bitince başlıyor…"
READING = "Dosya okunuyor…"
NO_FILE = "Önce bir dosya seç."
OTHER_FILE = "Bu tür dosyaları okuyamıyorum. Excel'de açıp .xlsx ya da .csv olarak kaydet."
PRIVACY = "🔒 Gizlilik ve eğitim izni"
PRIVACY_TEXT = (
    "Yazdığın metin, sonucu ve düzeltmen, tarayıcındaki rastgele bir koda bağlı olarak bu "
    "sunucunun veritabanında durur; adın ya da adresin saklanmaz, metinler başka bir hizmete "
    "gönderilmez. Düzeltmelerin yalnızca izin verdiysen eğitimde kullanılır."
)
CONSENT_QUESTION = (
    "🎓 Düzeltmelerini, metinleriyle birlikte, modeli eğitmek için kullanabilir miyim? Gerekirse "
    "bir yönetici metne bakıp düzeltmeyi onaylar; kimin yazdığını görmez. Kararını aşağıdaki "
    "“Gizlilik” bölümünde dilediğin an değiştirebilirsin; hayır dersen de her şey aynı şekilde "
    "çalışır."
)
CONSENT_YES = "✅ Evet, kullan"
CONSENT_NO = "Hayır, kullanma"
GRANTED = "Eğitim izni: verdin ✅"
NOT_GRANTED = "Eğitim izni: yok"
ERASE = "🗑 Yazdıklarımı sil"
ERASE_YES = "Evet, hepsini sil"
ERASE_NO = "Vazgeç"
ERASED = "Bu tarayıcıdan yazdığın her şeyi sildim."
# Durum
OVERVIEW = "📊 Durum"
PERIOD = "Dönem"
PERIODS = (("Tüm zamanlar", 0), ("Son 7 gün", 7), ("Son 30 gün", 30), ("Son 90 gün", 90))
ALL_MODELS = "Tüm sürümler"
MODEL = "Model sürümü"
REFRESH = "Yenile"
NOTHING_YET = "Bu seçimde henüz tahmin yok."
USERS = "Kullanıcı"
PREDICTIONS = "Tahmin"
LAST_DAY = "Son 24 saatte"
CORRECTIONS = "Düzeltme"
TRAINABLE = "Eğitim izni olan"
ACCURACY = "Doğruluk"
MACRO_F1 = "Makro-F1"
SHARES = "Etiketlerin payı"
CONFIDENCES = "Modelin güveni"
RELIABILITY = "Güven ve doğruluk"
NO_CORRECTIONS = (
    "Bu seçimde henüz düzeltme yok; doğruluk, karışıklık matrisi ve güvenilirlik için düzeltme "
    "gerekiyor."
)
TELLING_CORRECTIONS = 30
"""With fewer, the bounds of an accuracy lie tens of points apart."""
FEW_CORRECTIONS = f"{TELLING_CORRECTIONS} düzeltmeden azıyla bu sayılar pek bir şey söylemez."
_PERCENTILES = {50: "yarısı", 90: "%90'ı", 95: "%95'i", 99: "%99'u"}

# İnceleme
REVIEW = "🗂 İnceleme"
ACCEPT = "✅ Kabul (K)"
REJECT = "❌ Ret (R)"
SKIP = "⏭ Atla (A)"
UNDO = "↩️ Geri al (G)"
REVIEW_KEYS = "Klavyeden de olur: K kabul, R ret, A atla, G geri al."
BULK = "Toplu karar"
WAITING_ONES = "Bekleyen düzeltmeler (en çok 100'ü)"
ACCEPTED = "Kabul ettim."
REJECTED = "Reddettim."
SKIPPED = "Atladım."
NOT_SEEN = "Sen bastığında bu düzeltme henüz görünmüyordu; kararını şimdi ver."


def skipped(number: int) -> str:
    """What comes after the last correction, where some were skipped."""
    return f"🗂 Sıranın sonu. Atlananlar: {count(number)}. Onlara dönmek için Atla'ya (A) bas."


TAKEN_BACK = "Geri aldım; yeniden bekliyor."
NOTHING_TO_UNDO = "Geri alınacak bir karar yok."
TOO_LATE_TO_UNDO = "Bu karar artık geri alınamıyor: kullanıcı düzeltmesini değiştirmiş olabilir."

# Modeller
MODELS = "🤖 Modeller"
ANSWERING = "Yanıt veren"
SERVING = "Etkin sürüm"
SHIPPED = "kurulumla gelen"
PINNED = "Modeli ayarlar belirliyor (TWEETSENT_ADAPTER); sürümler kullanılmıyor."
SINCE = "Ne zamandan beri"
BY = "Nasıl"
PREVIOUS = "Önceki sürüm"
NO_PREVIOUS = "yok"
NOT_LOADED = "Etkin sürüm henüz yüklenmedi; yüklenene kadar eskisi yanıt veriyor."
VERSIONS = "Sürümler"
NO_VERSIONS = "Henüz kayıtlı sürüm yok; kurulumla gelen model yanıt veriyor."
VERSION_COLUMNS = ("Sürüm", "Durum", "Eklendi")
STATES = {
    ModelState.CANDIDATE: "aday",
    ModelState.ACTIVE: "etkin",
    ModelState.RETIRED: "eski",
    ModelState.REFUSED: "geçemedi",
}
DELETED = "silindi"
CHOOSE_VERSION = "Sürüme yakından bak"
PROMOTE = "Devreye al"
ROLL_BACK = "Önceki sürüme dön"
CONFIRM = "Evet"
CANCEL = "Vazgeç"
SERVES_ALREADY = "Bu sürüm zaten etkin."
IS_DELETED = "Bu sürümün dosyaları silinmiş; devreye alınamaz."
MOVED_ON = "Bu arada başka bir sürüm etkinleşmiş ya da dosyaları silinmiş. Yenile ve bak."
DAMAGED = "Bu sürümün dosyaları bozuk. Model olduğu gibi çalışmaya devam ediyor."
NOT_MEASURED = "Bu sürümün ölçümleri kayıtlı değil."
MEASURED = "Ölçüm"
DIFFERENCE = "Fark"
CALIBRATION = "Kalibrasyon hatası (ECE)"
LIFE = "Bu sürümün hikâyesi"
GATE = "Otomatik karar"
GATE_PASSED = "✅ Geçti: ölçümlerin hiçbiri devreye alınmasına engel değil."
GATE_REFUSED = "🟡 Geçemedi; nedenleri:"
GATE_UNKNOWN = "Bu sürümü bir yeniden eğitim getirmedi; otomatik karar yok."
GATE_UNREADABLE = "Kararın ayrıntıları okunamadı."
PICTURE_TITLES = {"learning-curves": "Öğrenme eğrileri", "gate": "Öncesi ve sonrası"}
PICTURE_KINDS = {"-reliability": RELIABILITY, "": "Karışıklık matrisi"}
"""By how the name of a picture ends that begins with the name of a file."""
NO_CURVES = "Bu sürümün öğrenme eğrileri yok."
RETRAINING = "🎓 Yeniden eğitim"
NO_RUN_YET = "Henüz yeniden eğitim yapılmadı."
START_RUN = "Eğitimi başlat"
STARTING_RUN = "Eğitim başlatılıyor…"
STOP_RUN = "Eğitimi durdur"
NO_RUN_TO_STOP = "Şu an çalışan bir eğitim yok."
RUN_ENDED_BEFORE = "Eğitim bu arada kendiliğinden bitmiş."
RUN_STOPPED = "Eğitimi durdurdum; şimdiki model çalışmaya devam ediyor."
RUNS = "Son eğitimler"
RUN_COLUMNS = ("#", "Başladı", "Sonuç", "Sürüm", "Ayrıntı")
RUN_STATES = {
    RunState.RUNNING: "⏳ sürüyor",
    RunState.PROMOTED: "✅ devrede",
    RunState.REFUSED: "🟡 geçemedi",
    RunState.FAILED: "⚠️ yarıda kaldı",
    RunState.STOPPED: "⏹ durduruldu",
}

# Veri
DATA = "📚 Veri"
SETS = "Veri kümeleri"
SET_COLUMNS = ("Küme", "Tarih", "Satır", "Temel veri", "Düzeltme")
NO_SETS = "Henüz veri kümesi yok: her yeniden eğitim bir tane yazar."
CHOOSE_SET = "Veri kümesi"
NEW_SET = "Şimdi eğitilse"
NO_ROWS = "Eğitimde kullanılabilecek bir satır henüz yok."
SET_GONE = "Bu veri kümesi artık yok. Yenile ve bak."
TOTAL = "Toplam"
COUNTS = "Etiketler ve kaynaklar"
COUNT_COLUMNS = ("Kaynak", *(label.turkish for label in LABELS), TOTAL, "Payı")
SOURCES: dict[str, str] = {"base": "Temel veri", "correction": "Düzeltmeler"}
SET_SHARES = "Kümedeki etiketler"
PREPARE_XLSX = "Excel hazırla"
PREPARE_CSV = "CSV hazırla"
DOWNLOAD_SET = "⬇️ Dosyayı indir"
INSPECT = "Şüpheli etiketleri ve benzer metinleri bul"
INSPECTING = "Aranıyor; büyük kümelerde birkaç dakika sürebilir…"
SUSPICIOUS_COLUMNS = ("Metin", "Etiketi", "Daha olası", "Kaynak")
SUSPICIOUS_NOTE = (
    "Metni görmemiş bir kelime sayımı modeli bu etiketlere inanmıyor. Çoğu kez haklı, bazen de "
    "metin yalnızca zordur: karar bakan kişinin."
)
NO_SUSPICIOUS = "Şüpheli etiket bulunmadı."
TOO_FEW_TO_JUDGE = "Şüpheli etiketleri aramak için veri çok az."
NEAR_COLUMNS = ("Grup", "Metin", "Etiketi", "Kaynak")
NEAR_NOTE = "Neredeyse aynı metinler; etiketleri çelişen gruplar başta."
NO_NEAR = "Birbirine çok benzeyen metin bulunmadı."


def too_long(most: int) -> str:
    """A text is longer than any message."""
    return f"Metin çok uzun; en çok {count(most)} karakter okurum. Daha uzununu dosyayla gönder."


def file_hint(megabytes: int) -> str:
    """Which files are read, and what becomes of them."""
    return (
        f".xlsx, .csv ya da .txt; en çok {megabytes} MB. Dosyadaki metinler saklanmaz; sonuç on "
        "dakika sonra silinir."
    )


def too_large(megabytes: int) -> str:
    """A file is larger than any that is read."""
    return f"Dosya çok büyük; en çok {megabytes} MB okurum."


def too_fast(rate: int) -> str:
    """To an address from which more is asked than the limit a minute."""
    return f"Sana yetişemiyorum 😅 Dakikada en çok {rate} kez sorabilirsin. Birazdan yeniden dene."


def model(version: str) -> str:
    """Which version answered."""
    return f"Model: {version}"


def words_title(label: str) -> str:
    """What the coloured words show."""
    return f"“{label}” puanını hangi kelimeler etkiledi?"


def words_legend(label: str) -> str:
    """How to read the colours."""
    return (
        f"Mavi kelimeler “{label}” puanını artırdı, altı noktalı turuncular azalttı; "
        "renk ne kadar koyuysa etki o kadar büyük. Her kelimeyi tek başına çıkarıp baktım; "
        "birlikteki etkileri başka olabilir."
    )


def first_words(most: int) -> str:
    """Of a long text not all words are looked at."""
    return f"Metin uzun: yalnızca ilk {count(most)} kelimenin etkisine baktım."


def word_effect(change: float) -> str:
    """What a word did, in points of a hundred."""
    points = f"{abs(100 * change):.0f}"
    return f"{'+' if change >= 0 else '−'}{points} puan"


def bulk(accepted: bool, chosen: int) -> str:
    """The name of a button that decides on several corrections."""
    said = "✅ Seçilenleri kabul et" if accepted else "❌ Seçilenleri reddet"
    return f"{said} ({count(chosen)})" if chosen else said


def decided(accepted: bool, done: int, late: int) -> str:
    """What became of several corrections at once."""
    said = f"{count(done)} düzeltmeyi {'kabul ettim' if accepted else 'reddettim'}."
    return f"{said} {count(late)} tanesi artık beklemiyordu." if late else said


def rests_on(corrections: int) -> str:
    """From how many corrections the quality is told, with a warning where they are few."""
    said = (
        f"Doğruluk ve Makro-F1 {count(corrections)} düzeltmeye dayanıyor; incelenmemiş olanlar da "
        "bunların arasında."
    )
    return f"{said} {FEW_CORRECTIONS}" if corrections < TELLING_CORRECTIONS else said


def latency(percentile: int) -> str:
    """The name of a percentile of the latency."""
    return f"Yanıtların {_PERCENTILES[percentile]} en geç"


def milliseconds(number: float) -> str:
    """A latency."""
    return f"{count(round(number))} ms"


def progress(done: int, total: int, seconds_left: float) -> str:
    """How much of a file is labelled, and how long the rest takes at that rate."""
    said = f"{percent(done / total)} · {count(done)} / {count(total)} farklı metin"
    return f"{said} · yaklaşık {duration(max(seconds_left, 1))} kaldı" if done < total else said


def score(number: float, *, signed: bool = False) -> str:
    """A measure of 0 to 1, or a difference of two."""
    return f"{number:{'+' if signed else ''}.3f}".replace(".", ",").replace("-", "−")


def comparison(file: str) -> str:
    """What stands beside each other: the measures on a file."""
    return f"Ölçümler yan yana: {file}"


def recall(label: str) -> str:
    """The share of a label's texts that is found."""
    return f"Duyarlılık: {label}"


def promote_question(version: str, serving: str, *, was_refused: bool) -> str:
    """Asks whether a version shall serve."""
    warning = " Otomatik karar onu geçirmemişti." if was_refused else ""
    return f"Şu an {serving} çalışıyor. Yerine {version} devreye alınsın mı?{warning}"


def not_loadable(reason: str) -> str:
    """The version that should answer can't be loaded; `reason` is technical, and English."""
    return (
        "Etkin sürüm yüklenemedi; eskisi yanıt veriyor. Dosyaları onarılınca kendiliğinden devreye "
        f"girer. Ayrıntı: {reason}"
    )


def promoted(version: str) -> str:
    """A version serves; the bots load it."""
    return f"{version} etkin. Birkaç saniye içinde yanıtlar ondan gelir."


def stop_question(run_id: int) -> str:
    """Asks whether to stop a run."""
    return (
        f"Eğitim #{run_id} durdurulsun mu? Yaptığı iş kaybolur; şimdiki model çalışmaya devam eder."
    )


def run_title(run_id: int) -> str:
    """The name of a run."""
    return f"Eğitim #{run_id}"


def set_name(name: str) -> str:
    """A data set, which is named by the number of its run."""
    return f"Eğitim #{int(name)}" if name.isdecimal() else name


def set_file(name: str, suffix: str) -> str:
    """The file of a data set."""
    return f"veri-{name or 'yeni'}.{suffix}"


def prepared(rows: int, hidden: int) -> str:
    """What is in a file that was made."""
    said = f"📎 {count(rows)} satır."
    if hidden:
        said += f" {hidden_rows(hidden)}"
    return said


def hidden_rows(rows: int) -> str:
    """Corrections of an older set are left out."""
    return f"{count(rows)} düzeltme çıkarıldı: artık eğitimde kullanılamıyor."


def unreadable_set(detail: str) -> str:
    """A data set or the base data can't be read; `detail` is technical, and English."""
    return f"Veriyi okuyamadım. Ayrıntı: {detail}"


def suspicious(found: int, shown: int) -> str:
    """The title of the improbable labels."""
    return f"Şüpheli etiketler: {count(found)}{_first(found, shown)}"


def near_copies(found: int, shown: int) -> str:
    """The title of the groups of texts that are nearly one."""
    return f"Benzer metin grupları: {count(found)}{_first(found, shown)}"


def _first(found: int, shown: int) -> str:
    return f" (ilk {count(shown)})" if shown < found else ""
