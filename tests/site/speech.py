"""What the sample clip says, in several languages, and when it says it."""

from dataclasses import dataclass

DURATION = 12  # seconds; the sample and every format of the test videos last exactly this long

SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "Welcome to the harbour.",
        "The ferry leaves at noon.",
        "Please keep your ticket ready.",
        "The crossing takes twelve minutes.",
        "Thank you for travelling with us.",
    ),
    "en-US": (
        "Welcome to the harbor.",
        "The ferry leaves at noon.",
        "Please keep your ticket ready.",
        "The crossing takes twelve minutes.",
        "Thank you for traveling with us.",
    ),
    "pt-BR": (
        "Bem-vindos ao porto.",
        "A balsa parte ao meio-dia.",
        "Tenham o bilhete em mãos.",
        "A travessia leva doze minutos.",
        "Obrigado por viajar conosco.",
    ),
    "zh-Hans": (
        "欢迎来到港口。",
        "渡轮中午出发。",
        "请准备好您的船票。",
        "航程十二分钟。",
        "感谢您的乘坐。",
    ),
    "de": (
        "Willkommen im Hafen.",
        "Die Fähre legt um zwölf Uhr ab.",
        "Bitte halten Sie Ihr Ticket bereit.",
        "Die Überfahrt dauert zwölf Minuten.",
        "Danke, dass Sie mit uns reisen.",
    ),
    "ar": (
        "مرحبا بكم في الميناء.",
        "تغادر العبارة عند الظهر.",
        "يرجى تجهيز تذاكركم.",
        "تستغرق الرحلة اثنتي عشرة دقيقة.",
        "شكرا لسفركم معنا.",
    ),
    "th": (
        "ยินดีต้อนรับสู่ท่าเรือ",
        "เรือข้ามฟากออกตอนเที่ยง",
        "โปรดเตรียมตั๋วของคุณให้พร้อม",
        "การข้ามใช้เวลาสิบสองนาที",
        "ขอบคุณที่เดินทางกับเรา",
    ),
    "ja": (
        "港へようこそ。",
        "フェリーは正午に出ます。",
        "切符をご用意ください。",
        "所要時間は十二分です。",
        "ご乗船ありがとうございます。",
    ),
    "es": (
        "Bienvenidos al puerto.",
        "El ferry sale al mediodía.",
        "Tengan su billete a mano.",
        "La travesía dura doce minutos.",
        "Gracias por viajar con nosotros.",
    ),
}


@dataclass(frozen=True)
class Cue:
    """One caption: `start` and `end` in seconds."""

    start: float
    end: float
    text: str


Times = list[tuple[float, float]]  # when each sentence is spoken, in seconds


def cues(language: str, times: Times) -> list[Cue]:
    """The sentences in one language; a language nobody wrote gets the English text marked with its code."""
    texts = SENTENCES.get(language) or tuple(f"[{language}] {text}" for text in SENTENCES["en"])
    return [Cue(start, end, text) for (start, end), text in zip(times, texts, strict=True)]


def words(cue: Cue) -> list[tuple[float, str]]:
    """Every word with its start in seconds, spread by length; lower case and bare, as a machine hears it."""
    heard = [word.strip(".,").lower() for word in cue.text.split()]
    letters = sum(len(word) + 1 for word in heard)
    timed, before = [], 0
    for word in heard:
        timed.append((cue.start + (cue.end - cue.start) * before / letters, word))
        before += len(word) + 1
    return timed
