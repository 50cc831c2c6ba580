"""The words of the data card: English, then the Chinese of Taiwan."""

PAIRS: dict[str, tuple[str, str]] = {
    "field": ("Field", "項目"),
    "value": ("Value", "內容"),
    "title": ("Name", "名稱"),
    "task": ("Task", "任務"),
    "classes": ("Classes", "類別"),
    "positive": ("Positive class", "陽性類別"),
    "channels": ("Channels", "通道數"),
    "group": ("Images share", "影像共屬"),
    "licence": ("Licence", "授權"),
    "citation": ("Citation", "引用"),
    "source": ("Source", "來源"),
    "folder": ("Folder", "資料夾"),
    "fingerprint": ("Fingerprint", "資料指紋"),
    "caption_card": ("The data card.", "資料卡。"),
    "caption_groups": (
        "Patients or slides per split, and how many occur in two splits, under each "
        "way to read the key from a file name; the first is the one used.",
        "各資料集的病人或切片數，以及同時出現在兩個資料集中的數目；依檔名讀取識別碼的"
        "方式分列，第一列為採用者。",
    ),
    "caption_duplicates": (
        "Byte-identical files: {shown} of {all} groups.",
        "內容完全相同的檔案：{all} 組中的 {shown} 組。",
    ),
    "caption_files": (
        "Files that are damaged, not what their name says, or of an unusual mode: "
        "{shown} of {all}.",
        "損壞、名實不符或色彩模式特殊的檔案：{all} 個中的 {shown} 個。",
    ),
    "none_duplicates": (
        "No two files are byte-identical.",
        "沒有內容完全相同的檔案。",
    ),
    "none_files": (
        "No file is damaged, wrongly named or of an unusual mode.",
        "沒有損壞、名實不符或色彩模式特殊的檔案。",
    ),
    "none_groups": (
        "The files name no patient and no slide, so images of one patient may lie "
        "on both sides of a split: results can be too good, by an unknown amount.",
        "檔名不含病人或切片識別碼，同一病人的影像可能分屬不同資料集，結果可能過於樂觀，"
        "程度未知。",
    ),
    "one_size": (
        "All {count:,} images are {width} x {height} pixels.",
        "{count:,} 張影像皆為 {width} x {height} 像素。",
    ),
    "caption_sizes": (
        "Width and height of the images as they came, before resizing.",
        "影像的原始寬與高（縮放前）。",
    ),
    "width": ("Width, px", "寬，px"),
    "height": ("Height, px", "高，px"),
    # Headings of tables.
    "key": ("Key", "識別碼"),
    "train": ("Train", "訓練"),
    "val": ("Val", "驗證"),
    "test": ("Test", "測試"),
    "all": ("All", "全部"),
    "the set": ("The set", "全部資料"),
    "where": ("Where", "位置"),
    "files": ("Files", "檔案數"),
    "images": ("Images", "影像"),
    "image": ("Image", "影像"),
    "reason": ("Reason", "原因"),
    "treatment": ("Treatment", "處理"),
    "in_two": ("In {places}", "{places}共有"),
    "within": ("within {places}", "{places}內"),
    "across": ("across {places}", "跨{places}"),
    "and": (" and ", "與"),
}
