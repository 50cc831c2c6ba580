"""Sentences that the report prints, in the languages a report can have."""


class Note(str):
    """An English sentence that carries its Chinese form.

    It is a plain string wherever one is expected, so that a reader who does
    not care for languages prints it as it is.

    Args:
        en: The sentence in English.
        zh: The same in Traditional Chinese.
    """

    __slots__ = ("zh",)

    def __new__(cls, en: str, zh: str) -> "Note":
        """Make the English string and hang the Chinese one on it."""
        note = super().__new__(cls, en)
        note.zh = zh
        return note

    def __getnewargs__(self) -> tuple[str, str]:
        return str(self), self.zh

    def say(self, language: str) -> str:
        """Give the sentence in one language.

        Args:
            language: `"zh"`, or anything else for English.
        """
        return self.zh if language == "zh" else str(self)
