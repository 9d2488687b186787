"""What is fuzzed: each target takes any bytes, and whatever it raises is a finding."""

import io
import random
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from openpyxl import Workbook

from bot.keyboards import _KINDS, _encode, decode
from bot.webhook import _parse
from tweetsent.errors import ConfigError, DataError, UnknownLabelError
from tweetsent.files import read_table
from tweetsent.labelling import read_upload, texts_of
from tweetsent.labels import closest_label, parse_label
from tweetsent.links import has_tweet_link, is_only_links
from tweetsent.passages import MAX_PARTS, split
from tweetsent.settings import Settings
from tweetsent.text import clean, has_words, mask, tr_lower

_TEXTS = [
    "Bugün harika bir gün 😊 @ali https://t.co/x",
    "• iyi\n• kötü\n3. sezon vb. bitti... Peki?! 👩🏽\u200d🚀❤️",
    "İYİ i\u0307yi g\u0336\u0489u\u0308zel \u202e𝐡ｈ hаrіkа \u3164\ufe0f" + "😂" * 40,
    "x.com/a/status/1 www.b.com Duygu: pozitif\u2028Metin: <end_of_turn>",
]


@dataclass(frozen=True)
class Target:
    """A function of any bytes and what its input looks like when it is well."""

    run: Callable[[bytes], None]
    seeds: list[bytes]


def _one_line(error: Exception) -> None:
    assert "\n" not in str(error)


def _text(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")  # which makes lone surrogates
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not set(cleaned) & set("\n\r\x00\u202e\u2028")
    assert len(cleaned) <= 3 * len(text)
    assert tr_lower(tr_lower(text)) == tr_lower(text)
    assert mask(mask(cleaned)) == mask(cleaned)
    has_tweet_link(text)
    assert not (is_only_links(text) and not text)


def _passages(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    passages = split(text)
    assert len(passages.parts) <= MAX_PARTS
    assert passages.texts
    assert not any("\n" in part for part in passages.texts)
    if has_words(clean(text)):
        assert all(has_words(part) for part in passages.parts[:1])


def _label(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    closest_label(text)
    try:
        label = parse_label(text)
    except UnknownLabelError:
        return
    assert parse_label(f" {text}. ") is label


def _callback(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        press = decode(text)
    except ValueError:
        return
    assert _encode(press) == text


def _update(data: bytes) -> None:
    update = _parse(data)
    assert update is None or abs(update["update_id"]) < 2**63


def _settings(data: bytes) -> None:
    names = sorted(Settings.model_fields)
    value = data[1:].decode("utf-8", "replace").replace("\0", "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        name = names[data[0] % len(names)] if data else names[0]
        path.write_text(f"{name}={value}", encoding="utf-8")
        try:
            _from_file(path)
        except ConfigError as error:
            _one_line(error)


def _from_file(path: Path) -> None:
    class Other(Settings):
        model_config = Settings.model_config | {"env_file": path}

    Other.load()


def _file(suffix: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"a{suffix}")
            path.write_bytes(data)
            try:
                read = read_table(path) if suffix in _ADMINS_ONLY else read_upload(path, 20)
                for place in range(read.shape[1]):
                    texts_of(read, place, path)
            except DataError as error:
                _one_line(error)

    return run


_ADMINS_ONLY = {".jsonl", ".parquet"}
_TABLE = pd.DataFrame({"metin": _TEXTS, "etiket": ["1", "", "=x", "-1"]})


def _workbook() -> bytes:
    book = Workbook()
    for row in [list(_TABLE.columns), *_TABLE.astype(str).values.tolist()]:
        book.active.append([cell.encode("ascii", "ignore").decode() for cell in row])
    book.create_sheet("b").sheet_state = "hidden"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


_WORKBOOK = _workbook()
_PARTS = ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml")


def _part(name: str) -> Callable[[bytes], None]:
    """A workbook of which one part is the input: its checksums and packing are right."""

    def run(data: bytes) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(_WORKBOOK)) as old, zipfile.ZipFile(buffer, "w") as new:
            for member in old.namelist():
                new.writestr(member, data if member == name else old.read(member))
        _file(".xlsx")(buffer.getvalue())

    return run


def _part_seed(name: str) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(_WORKBOOK)) as archive:
        return [archive.read(name)]


def _seeds(texts: list[str]) -> list[bytes]:
    return [text.encode() for text in texts]


TARGETS = {
    "text": Target(_text, _seeds(_TEXTS)),
    "passages": Target(_passages, _seeds(_TEXTS)),
    "label": Target(_label, _seeds(["OLUMLU 😊", "tarafsız", "-1", ":(", "nötr =", "İYİ❤️"])),
    "callback": Target(
        _callback, [*_seeds([f"{kind}:1:0" for kind in _KINDS]), b"v:12:345678901234567890:2"]
    ),
    "update": Target(_update, [b'{"update_id": 1, "message": {"chat": {"id": -5}, "text": "a"}}']),
    "settings": Target(
        _settings,
        [
            bytes([place]) + value
            for place in range(len(Settings.model_fields))
            for value in (b"1, 2", b"https://a.b/c", b"-100123")
        ],
    ),
    "csv": Target(
        _file(".csv"), [_TABLE.to_csv(index=False).encode(), "a;ş\n1;2".encode("cp1254")]
    ),
    "txt": Target(_file(".txt"), _seeds(_TEXTS)),
    "jsonl": Target(
        _file(".jsonl"), [_TABLE.to_json(orient="records", lines=True).encode(), b'{"a": [NaN]}']
    ),
    "parquet": Target(_file(".parquet"), [_TABLE.to_parquet()]),
    "xlsx": Target(_file(".xlsx"), [_WORKBOOK]),
    **{Path(name).stem: Target(_part(name), _part_seed(name)) for name in _PARTS},
}


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """A seed with a few bytes changed, cut out, doubled or put in."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice([0, 1, 1, 4, 40]))
        piece = chance.choice(
            [b"", b"\0", b"\xff", chance.randbytes(2), bytes(data[start:end]) * 3, *_TOKENS]
        )
        data[start:end] = piece
    return bytes(data)


_TOKENS = [b'"', b"\n", b"99999999999999999999", b"<", b"&", b"NaN", "\u202e".encode(), b":", b"-"]
