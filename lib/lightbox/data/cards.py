"""Data cards: what a set is, whose it is, and where it comes from."""

from dataclasses import dataclass, replace

from lightbox.base.errors import ParameterError, did_you_mean
from lightbox.base.words import language


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

    def say(self) -> str:
        """Give the sentence in one language."""
        return self.zh if language() == "zh" else str(self)


@dataclass(frozen=True)
class Recipe:
    """How to get a set by hand, or by download where that is certain.

    Args:
        address: The page to open.
        files: The archives to take from it.
        inside: What the target folder holds when all is in place.
        url: Direct address of the one archive; None where a login or a click
            stands before it.
        checksum: `"<algorithm>:<hex>"` of that archive; None without a url.
    """

    address: str
    files: tuple[str, ...]
    inside: str
    url: str | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Card:
    """A data set as data: all that the report says about it without looking.

    Args:
        name: What the parameter `dataset` calls it.
        title: Its name in a sentence.
        task: What is told from an image, in one line.
        layout: Which reader fits: chest, histology, fundus or folder.
        classes: Class names in the order of their indices; empty until read.
        positive: The class that sensitivity is about; None for more than two.
        channels: 1 or 3; None where the files decide.
        group: What images may share: "patient", "slide" or None if unknown.
        group_key: How the group is read from a file name.
        alternative_key: Another reading that is counted beside it, or "".
        key_reason: Why the one and not the other is used, or "".
        licence: Terms of use.
        citation: Authors, title, year.
        doi: Digital object identifier, or "".
        source: The landing page, or "".
        synthetic: True for generated images.
        mimics: Name of the real set that a generated one stands for, or "".
        recipe: How to get the files; None where they are made or given.
        notes: What the report must say about the set.
    """

    name: str
    title: str
    task: str
    layout: str
    classes: tuple[str, ...] = ()
    positive: str | None = None
    channels: int | None = None
    group: str | None = None
    group_key: str = ""
    alternative_key: str = ""
    key_reason: str = ""
    licence: str = ""
    citation: str = ""
    doi: str = ""
    source: str = ""
    synthetic: bool = False
    mimics: str = ""
    recipe: Recipe | None = None
    notes: tuple[str, ...] = ()


CHEST = Card(
    name="chest-xray",
    title="Chest X-ray images (pneumonia) of children aged 1 to 5",
    task="Tell pneumonia from normal on a frontal chest radiograph.",
    layout="chest",
    classes=("NORMAL", "PNEUMONIA"),
    positive="PNEUMONIA",
    channels=1,
    group="patient",
    group_key=Note("(kind, number)", "種類＋編號"),
    alternative_key=Note("number alone", "編號"),
    key_reason=Note(
        "numbering restarts in each kind (bacteria, virus, IM, NORMAL2-IM), so one "
        "number under two kinds is two children",
        "每一種類（bacteria、virus、IM、NORMAL2-IM）的編號各自重新起算，"
        "同一編號在兩種類中是兩名兒童",
    ),
    licence="CC BY 4.0",
    citation=(
        "Kermany D, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) "
        "and Chest X-Ray Images for Classification. Mendeley Data, V2, 2018."
    ),
    doi="10.17632/rscbjbr9sj.2",
    source="https://data.mendeley.com/datasets/rscbjbr9sj/2",
    recipe=Recipe(
        address="https://data.mendeley.com/datasets/rscbjbr9sj/2",
        files=("ChestXRay2017.zip",),
        inside="train/NORMAL, train/PNEUMONIA, test/NORMAL, test/PNEUMONIA",
    ),
    notes=(
        Note(
            "The published file names carry a patient number per kind (bacteria, "
            "virus, normal); no other patient data are published.",
            "檔名所含的病人編號在每一類（細菌、病毒、正常）中各自重新起算；"
            "除此之外沒有公開其他病人資料。",
        ),
    ),
)

HISTOLOGY = Card(
    name="histology",
    title="Colorectal histology textures",
    task="Name the tissue type of a 150 x 150 px tile (74 x 74 um).",
    layout="histology",
    classes=(
        *("01_TUMOR", "02_STROMA", "03_COMPLEX", "04_LYMPHO"),
        *("05_DEBRIS", "06_MUCOSA", "07_ADIPOSE", "08_EMPTY"),
    ),
    channels=3,
    group="slide",
    group_key=Note("the number after CRC-Prim-HE-", "CRC-Prim-HE- 之後的編號"),
    licence="CC BY 4.0",
    citation=(
        "Kather JN, Weis CA, Bianconi F, et al. Multi-class texture analysis in "
        "colorectal cancer histology. Scientific Reports 6:27988, 2016."
    ),
    doi="10.5281/zenodo.53169",
    source="https://zenodo.org/records/53169",
    recipe=Recipe(
        address="https://zenodo.org/records/53169",
        files=("Kather_texture_2016_image_tiles_5000.zip",),
        inside="01_TUMOR, 02_STROMA, ... 08_EMPTY (625 tiles each)",
        url=(
            "https://zenodo.org/records/53169/files/"
            "Kather_texture_2016_image_tiles_5000.zip"
        ),
        # The archive's MD5 as Zenodo states it beside the file.
        checksum="md5:0ddbebfc56344752028fda72602aaade",
    ),
    notes=(
        Note(
            "No split is published; tiles of one slide look alike, so the split "
            "keeps every slide on one side.",
            "此資料集沒有公開的切分；同一張切片的切塊彼此相似，"
            "因此切分時每張切片只歸於一側。",
        ),
    ),
)

FUNDUS = Card(
    name="fundus",
    title="Retinal fundus photographs (RFMiD), Disease_Risk",
    task="Tell a fundus photograph with any sign of disease from a normal one.",
    layout="fundus",
    classes=("normal", "diseased"),
    positive="diseased",
    channels=3,
    licence="CC BY 4.0",
    citation=(
        "Pachade S, Porwal P, Thulkar D, et al. Retinal Fundus Multi-Disease Image "
        "Dataset (RFMiD). Data 6(2):14, 2021."
    ),
    doi="10.3390/data6020014",
    source="https://riadd.grand-challenge.org/download-all-classes/",
    recipe=Recipe(
        address="https://riadd.grand-challenge.org/download-all-classes/",
        files=("Training_Set.zip", "Evaluation_Set.zip", "Test_Set.zip"),
        inside=(
            "Training_Set/Training/<ID>.png, Evaluation_Set/Validation/<ID>.png, "
            "Test_Set/Test/<ID>.png and the three RFMiD_..._Labels.csv"
        ),
    ),
    notes=(
        Note(
            "RFMiD publishes no patient id: two eyes or two visits of one person "
            "may lie in different splits, and nobody outside can tell.",
            "RFMiD 沒有公開病人編號：同一人的兩眼或兩次就診可能落在不同的子集，"
            "外人無從得知。",
        ),
    ),
)

FOLDER = Card(
    name="folder",
    title="Images in class folders",
    task="Name the class folder that an image belongs to.",
    layout="folder",
)


def _phantom(name: str, title: str, real: Card) -> Card:
    """Derive the card of a generated set from the real one's."""
    return replace(
        real,
        name=name,
        title=title,
        licence="generated by Lightbox, free of rights",
        citation="",
        doi="",
        source="",
        synthetic=True,
        mimics=real.name,
        recipe=None,
        notes=(
            Note(
                "These images are synthetic: drawn by a program, they show no "
                "patient, and no result on them says anything about medicine.",
                "這些影像是合成的：由程式繪製，不含任何病人，其結果不具任何醫學意義。",
            ),
        ),
    )


CARDS = {
    known.name: known
    for known in (
        _phantom("phantom-chest", "Synthetic chest radiographs", CHEST),
        _phantom("phantom-histology", "Synthetic histology textures", HISTOLOGY),
        _phantom("phantom-fundus", "Synthetic fundus photographs", FUNDUS),
        CHEST,
        HISTOLOGY,
        FUNDUS,
        FOLDER,
    )
}


def card(name: str) -> Card:
    """Look a data card up.

    Args:
        name: One of `CARDS`.

    Returns:
        The card, with `classes` empty for a folder that nobody has read yet.

    Raises:
        ParameterError: No set has this name.
    """
    if name not in CARDS:
        raise ParameterError(
            f"dataset {name!r} is not known{did_you_mean(str(name), CARDS)} "
            f"(known: {', '.join(CARDS)})"
        )
    return CARDS[name]
