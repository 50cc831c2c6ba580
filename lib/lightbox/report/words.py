"""The few words that the report itself writes, in both languages."""

WORDS = {
    "en": {
        "figure": "Figure",
        "table": "Table",
        "stop": ".",
        "contents": "Contents",
        "code": "Code",
        "note": "Note",
        "warning": "Warning",
        "stopped": "This notebook stopped here",
        "provenance": "Provenance",
        "appendix": "Appendix: provenance",
        "again": "Run it again",
        "untitled": "Chapter",
    },
    "zh": {
        "figure": "圖",
        "table": "表",
        "stop": "　",
        "contents": "目錄",
        "code": "程式碼",
        "note": "說明",
        "warning": "注意",
        "stopped": "本筆記本在此中止",
        "provenance": "執行紀錄",
        "appendix": "附錄：執行紀錄",
        "again": "重現指令",
        "untitled": "章",
    },
}

# HTML's and Typst's names of the languages; both choose glyph forms by them.
TAGS = {"en": "en", "zh": "zh-Hant-TW"}


def is_cjk(character: str) -> bool:
    """Whether a character needs the CJK font (ideographs, their punctuation)."""
    point = ord(character)
    # Mathematical letters and variation selectors lie there too.
    return point > 0x2E7F and not (
        0x1D400 <= point <= 0x1D7FF or 0xFE00 <= point <= 0xFE0F
    )


def guess_language(text: str) -> str:
    """Tell the language of a text by its script.

    Args:
        text: Any text.

    Returns:
        `"zh"` where at least a tenth of the letters are ideographs, else `"en"`.
    """
    letters = [c for c in text if c.isalpha()]
    return "zh" if 10 * sum(map(is_cjk, letters)) > len(letters) else "en"
